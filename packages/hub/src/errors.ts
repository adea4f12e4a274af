/** A model that cannot be had from the hub or its cache. The message names the repository and says what to do. */
export class HubError extends Error {
  override readonly name = 'HubError';
}
