import { readFileSync } from 'node:fs';
import { type ChatMessage, Tokenizer, TokenizerError } from '@burin/tokenizers';
import { describe, expect, it } from 'vitest';

interface Case {
  name: string;
  template: string;
  marked: string;
  messages: ChatMessage[];
  text: string;
  prompt: string;
  continued: string;
  inputIds: number[];
  assistantMask: number[];
}

/** What transformers 5.18 renders and masks: see golden/make_chat.py. */
const golden: { tokenizer: Record<string, unknown>; config: Record<string, unknown>; cases: Case[] } = JSON.parse(
  readFileSync(new URL('golden/chat.json', import.meta.url), 'utf8'),
);
const tokenizerOf = (config: Record<string, unknown> = {}) =>
  new Tokenizer(golden.tokenizer, { ...golden.config, ...config });
const tokenizer = tokenizerOf();
const HELLO: ChatMessage[] = [
  { role: 'user', content: 'Hello' },
  { role: 'assistant', content: 'Who is there?' },
];
/** The parts of a conversation that are trained, as text. */
function trained(messages: ChatMessage[], chatTemplate: string): string[] {
  const { labels } = tokenizer.encodeChat(messages, { chatTemplate });
  const runs: number[][] = [[]];
  for (const id of labels) {
    if (id >= 0) runs.at(-1)!.push(id);
    else runs.push([]);
  }
  return runs.filter((run) => run.length > 0).map((run) => tokenizer.decode(run, { skipSpecialTokens: false }));
}
const CHATML = `{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

describe.each(golden.cases)('a template of the kind of $name', ({ template, marked, messages, ...expected }) => {
  it('renders as in transformers', () => {
    expect(tokenizer.applyChatTemplate(messages, { chatTemplate: template })).toBe(expected.text);
    const before = messages.slice(0, -1);
    expect(tokenizer.applyChatTemplate(before, { chatTemplate: template, addGenerationPrompt: true })).toBe(
      expected.prompt,
    );
    const opened = [...before, { role: 'assistant', content: 'It was ' }];
    expect(tokenizer.applyChatTemplate(opened, { chatTemplate: template, continueFinalMessage: true })).toBe(
      expected.continued,
    );
  });

  it.each([
    ['from the beginnings of the conversation', template],
    ['from {% generation %}', marked],
  ])('masks the assistant %s', (_, chatTemplate) => {
    const chat = tokenizer.encodeChat(messages, { chatTemplate });
    expect(chat.inputIds).toEqual(expected.inputIds);
    expect(chat.assistantMask).toEqual(expected.assistantMask);
    expect(chat.trainedTokens).toBe(expected.assistantMask.filter((mask) => mask === 1).length);
    expect(chat.labels).toEqual(expected.inputIds.map((id, i) => (expected.assistantMask[i] === 1 ? id : -100)));
    expect(chat.attentionMask).toEqual(expected.inputIds.map(() => 1));
  });
});

describe('encodeChat', () => {
  it('trains each answer and its end token, and nothing else', () => {
    const [, thinking] = golden.cases.filter(({ name }) => name === 'thinking');
    expect(trained(thinking!.messages, thinking!.template)).toEqual([
      'The wolf, and the wolf.<|im_end|>',
      expect.stringMatching(/^It rained the whole day\. .+<\|im_end\|>$/su),
      '<think>\nThe wolf, and the wolf.\n</think>\n\nThe wolf, and the wolf.<|im_end|>',
    ]);
  });

  it('goes by places: a user who says what the assistant says, end token and all, is not trained', () => {
    const messages = [
      { role: 'user', content: 'yes<|im_end|>' },
      { role: 'assistant', content: 'yes' },
      { role: 'user', content: 'yes' },
    ];
    expect(trained(messages, CHATML)).toEqual(['yes<|im_end|>']);
    const { assistantMask, inputIds } = tokenizer.encodeChat(messages, { chatTemplate: CHATML });
    const yes = tokenizer.encode('yes')[0];
    expect(inputIds.filter((id) => id === yes)).toHaveLength(3);
    expect(inputIds.flatMap((id, i) => (id === yes ? [assistantMask[i]] : []))).toEqual([0, 1, 0]);
  });

  it('gives the token that begins with a space to the answer', () => {
    const template =
      '{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}';
    expect(trained([HELLO[0]!, { role: 'assistant', content: 'the wolf' }], template)).toEqual([' the wolf\n']);
  });

  it('hands tools, documents and variables to the template', () => {
    const template = '{{ tools[0].name }} {{ documents[0].title }} {{ mood }} {{ bos_token }}{{ messages[0].content }}';
    const options = { tools: [{ name: 'add' }], documents: [{ title: 'T' }], variables: { mood: 'calm' } };
    expect(tokenizer.applyChatTemplate(HELLO, { chatTemplate: template, ...options })).toBe('add T calm <s>Hello');
    expect(tokenizer.applyChatTemplate(HELLO, { chatTemplate: '{{ "none" if tools is none }}' })).toBe('none');
  });

  it('refuses a conversation with nothing to train', () => {
    expect(() => tokenizer.encodeChat([HELLO[0]!], { chatTemplate: CHATML })).toThrow(TokenizerError);
    expect(() => tokenizer.encodeChat([HELLO[0]!], { chatTemplate: CHATML })).toThrow(
      'encodeChat: nothing to train on: expected a message with role assistant that the chat template shows, got none',
    );
  });

  it('refuses a template that renders beginnings otherwise', () => {
    const counting = '{{ messages | length }} {% for m in messages %}{{ m.content }}{% endfor %}';
    expect(() => tokenizer.encodeChat(HELLO, { chatTemplate: counting })).toThrow(
      'encodeChat: message 1: the chat template renders what comes first otherwise once more messages follow, so the ' +
        `assistant's part cannot be told: expected "1 Hello", got "2 HelloWho is there?"; give a template with {% generation %}`,
    );
  });

  it('refuses a border inside a token', () => {
    const glued = '{% for m in messages %}{{ m.content }}{% endfor %}';
    const messages = [
      { role: 'user', content: ' th' },
      { role: 'assistant', content: 'e' },
    ];
    expect(() => tokenizer.encodeChat(messages, { chatTemplate: glued })).toThrow(
      `a token lies on both sides of the border of the assistant's part: expected one that ends at " th", got " the"`,
    );
  });
});

describe('encodeChat where places are not known', () => {
  it('refuses a border that is not between tokens, rather than guess', () => {
    const pre_tokenizer = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: 'q' }, behavior: 'Removed', invert: false },
        golden.tokenizer.pre_tokenizer,
      ],
    };
    const dropping = new Tokenizer({ ...golden.tokenizer, pre_tokenizer });
    const messages = [
      { role: 'user', content: ' th' },
      { role: 'assistant', content: 'e q<|im_end|>' },
    ];
    const chatTemplate = '{% for m in messages %}{{ m.content }}{% endfor %}';
    expect(() => dropping.encodeChat(messages, { chatTemplate })).toThrow('got one whose place is not known');
  });
});

describe('applyChatTemplate', () => {
  it('takes the template of tokenizer_config.json, or one of several by its name', () => {
    const only = tokenizerOf({ chat_template: 'only {{ messages[0].content }}' });
    expect(only.applyChatTemplate(HELLO)).toBe('only Hello');
    const chat_template = [
      { name: 'default', template: 'default' },
      { name: 'tool_use', template: 'tools' },
      { name: 'rag', template: 'rag' },
    ];
    const several = tokenizerOf({ chat_template });
    expect(several.applyChatTemplate(HELLO)).toBe('default');
    expect(several.applyChatTemplate(HELLO, { tools: [{}] })).toBe('tools');
    expect(several.applyChatTemplate(HELLO, { chatTemplate: 'rag' })).toBe('rag');
    const nameless = tokenizerOf({ chat_template: chat_template.slice(1) });
    expect(() => nameless.applyChatTemplate(HELLO)).toThrow('expected chatTemplate to be one of tool_use, rag');
    expect(() => tokenizer.applyChatTemplate(HELLO)).toThrow(
      'applyChatTemplate: the tokenizer has no chat template: give one as chatTemplate',
    );
  });

  it('passes the words of a template on, and names one that is no Jinja', () => {
    const refusing = "{{ raise_exception('Only user and assistant roles are supported!') }}";
    expect(() => tokenizer.applyChatTemplate(HELLO, { chatTemplate: refusing })).toThrow(
      'chat template: Only user and assistant roles are supported!',
    );
    expect(() => tokenizer.applyChatTemplate(HELLO, { chatTemplate: '{% if %}' })).toThrow(
      'chat template: expected Jinja that can be read: ',
    );
  });

  it('goes on with the last message only where its text is shown', () => {
    const options = { chatTemplate: CHATML, continueFinalMessage: true };
    expect(tokenizer.applyChatTemplate(HELLO, options)).toMatch(/assistant\nWho is there\?$/);
    const hidden = { ...options, chatTemplate: '{{ messages[0].content }}' };
    expect(() => tokenizer.applyChatTemplate(HELLO, hidden)).toThrow('expected to find "Who is there?" in "Hello"');
    expect(() => tokenizer.applyChatTemplate(HELLO, { ...options, addGenerationPrompt: true })).toThrow('got both');
  });
});
