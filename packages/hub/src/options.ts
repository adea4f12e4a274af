/** Where models come from, and where they are kept. What is left out, the environment says. */
export interface HubOptions {
  /** A branch, a tag or the 40 digits of a commit. Default `main`. */
  revision?: string;
  /** The hub's address. Default `HF_ENDPOINT`, or https://huggingface.co. */
  endpoint?: string;
  /** For gated and private repositories. Default `HF_TOKEN`, or what `hf auth login` has stored. */
  token?: string;
  /** Where downloads are kept. Default `HF_HUB_CACHE`, or `hub` in `HF_HOME`, or `~/.cache/huggingface/hub`. */
  cacheFolder?: string;
  /** Ask nobody: only what is in the cache. Default: whether `HF_HUB_OFFLINE` is set. */
  offline?: boolean;
}

/** The same, with nothing left out but a token that is not there. */
export interface HubSettings {
  readonly revision: string;
  readonly endpoint: string;
  readonly token: string | null;
  readonly cacheFolder: string;
  readonly offline: boolean;
}
