/** Which adapters take part in a model's forward pass. One for a model; every wrapped layer looks at it. */
export class AdapterSwitch {
  /** Names, in the order in which they were made active. */
  active: readonly string[] = [];
  /** While false, the model is its base. */
  enabled = true;
}
