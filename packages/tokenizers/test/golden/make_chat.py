"""Writes chat.json beside it: what transformers renders with chat templates, and its masks of the assistant's tokens.

    pip install tokenizers==0.23.2 transformers==5.18.0 jinja2 && python make_chat.py

The templates are our own, in the manner of well-known models. GEN and END stand where the marked variant has
{% generation %} and {% endgeneration %}.
"""
import json
import pathlib

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

HERE = pathlib.Path(__file__).parent
SPECIALS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "[INST]", "[/INST]"]

TEMPLATES = {
    # ChatML, as in Qwen 2
    "chatml": """{% for message in messages %}
{%- if loop.first and message.role != 'system' %}
{{- '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}
{%- endif %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' %}GEN{{- message.content + '<|im_end|>' }}END{{- '\\n' }}
{%- else %}{{- message.content + '<|im_end|>\\n' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""",
    # headers, as in Llama 3; content is trimmed
    "llama3": """{{- bos_token }}
{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {%- if message['role'] == 'assistant' %}GEN{{- message['content'] | trim + '<|eot_id|>' }}END
    {%- else %}{{- message['content'] | trim + '<|eot_id|>' }}{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    # [INST], as in Mistral: a space before the answer
    "inst": """{{ bos_token }}{% for message in messages %}
{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}
{% elif message['role'] == 'assistant' %}GEN{{ ' ' + message['content'] + eos_token }}END{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}
{% endfor %}
""",
    # thoughts, as in Qwen 3: shown in the last turn only, where an empty one is shown too
    "thinking": """{%- set ns = namespace(last=-1) %}
{%- for message in messages %}{%- if message.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {%- set thought = '' %}
        {%- set answer = message.content %}
        {%- if '</think>' in answer %}
            {%- set thought = answer.split('</think>')[0].split('<think>')[-1].strip('\\n') %}
            {%- set answer = answer.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if loop.index0 > ns.last %}GEN{{- '<think>\\n' + thought + '\\n</think>\\n\\n' + answer + '<|im_end|>' }}END
        {%- else %}GEN{{- answer + '<|im_end|>' }}END{%- endif %}
        {{- '\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
""",
}

CHATS = [
    [{"role": "user", "content": "Who lived in the village?"}, {"role": "assistant", "content": "A little girl."}],
    [
        {"role": "user", "content": "Once upon a time?"},
        {"role": "assistant", "content": "<think>\nthe wolf\n</think>\n\nThe wolf, and the wolf."},
        {"role": "user", "content": "  And then \n"},
        {"role": "assistant", "content": "It rained the whole day. \U0001f600"},
        {"role": "user", "content": "The wolf, and the wolf."},
        {"role": "assistant", "content": "<think>\nThe wolf, and the wolf.\n</think>\n\nThe wolf, and the wolf."},
    ],
]


def main():
    base = json.loads((HERE / "gpt2.json").read_text())["tokenizer"]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(base)), bos_token="<s>", eos_token="</s>")
    tokenizer.add_special_tokens({"extra_special_tokens": SPECIALS[2:]})
    cases = []
    for name, source in TEMPLATES.items():
        plain = source.replace("GEN", "").replace("END", "")
        marked = source.replace("GEN", "{%- generation %}").replace("END", "{%- endgeneration %}")
        for chat in CHATS:
            encoded = tokenizer.apply_chat_template(
                chat, chat_template=marked, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
            )
            cases.append({
                "name": name,
                "template": plain,
                "marked": marked,
                "messages": chat,
                "text": tokenizer.apply_chat_template(chat, chat_template=plain, tokenize=False),
                "prompt": tokenizer.apply_chat_template(chat[:-1], chat_template=plain, tokenize=False, add_generation_prompt=True),
                "continued": tokenizer.apply_chat_template(
                    chat[:-1] + [{"role": "assistant", "content": "It was "}],
                    chat_template=plain, tokenize=False, continue_final_message=True,
                ),
                "inputIds": encoded["input_ids"],
                "assistantMask": encoded["assistant_masks"],
            })
    golden = {"tokenizer": json.loads(tokenizer.backend_tokenizer.to_str()), "config": {"bos_token": "<s>", "eos_token": "</s>"}, "cases": cases}
    (HERE / "chat.json").write_text(json.dumps(golden, ensure_ascii=True) + "\n")


main()
