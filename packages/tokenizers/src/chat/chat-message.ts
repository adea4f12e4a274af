/** One turn of a conversation. A template may look at further fields, such as `tool_calls` or `reasoning_content`. */
export interface ChatMessage {
  /** `'system'`, `'user'`, `'assistant'`, `'tool'`, or what the template knows besides. */
  readonly role: string;
  readonly content?: unknown;
  readonly [field: string]: unknown;
}

/** What a chat template is told besides the messages. */
export interface ChatOptions {
  /** The name of one of the tokenizer's templates, or a template. Default: the tokenizer's own. */
  chatTemplate?: string;
  /** Tools that the assistant may call, each a JSON schema. */
  tools?: readonly object[];
  /** Texts that the assistant may use. */
  documents?: readonly object[];
  /** What this template knows besides, such as `{ enable_thinking: false }`. */
  variables?: Readonly<Record<string, unknown>>;
}

/** How a conversation becomes text. */
export interface ChatTemplateOptions extends ChatOptions {
  /** End with what opens a turn of the assistant, so that a model answers. Default false. */
  addGenerationPrompt?: boolean;
  /** End with the last message as it is, with nothing that closes it, so that a model goes on with it. Default false. */
  continueFinalMessage?: boolean;
}
