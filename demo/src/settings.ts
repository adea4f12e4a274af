/** Bytes that the model reads of a text. */
export const CONTEXT = 256;
/** How the mails are split; the checkpoint was pretrained on text of this training part. */
export const SPLIT = { testSize: 500, seed: 7 };
