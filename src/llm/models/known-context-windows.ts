/**
 * Tokens that OpenAI's newer context windows reserve for the answer: the maximum input is smaller by this
 * amount.
 */
const GPT_ANSWER = 128_000;

/**
 * Context windows of the common models as of November 2026, in tokens, by provider and by prefix of the model
 * name; the longest prefix wins. `*` matches every other model of the provider.
 * https://platform.claude.com/docs/en/about-claude/models/overview,
 * https://developers.openai.com/api/docs/models
 */
export const KNOWN_WINDOWS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  anthropic: {
    'claude-fable-5': 1_000_000,
    'claude-mythos-5': 1_000_000,
    'claude-opus-5': 1_000_000,
    'claude-opus-4-8': 1_000_000,
    'claude-opus-4-7': 1_000_000,
    'claude-opus-4-6': 1_000_000,
    'claude-sonnet-5': 1_000_000,
    'claude-sonnet-4-6': 1_000_000,
    'claude-haiku-5': 1_000_000,
    claude: 200_000,
  },
  openai: {
    'gpt-6': 1_050_000 - GPT_ANSWER,
    'gpt-5.6': 1_050_000 - GPT_ANSWER,
    'gpt-5.5': 1_050_000 - GPT_ANSWER,
    'gpt-5.4': 1_050_000 - GPT_ANSWER,
    'gpt-5.4-mini': 400_000 - GPT_ANSWER,
    'gpt-5.4-nano': 400_000 - GPT_ANSWER,
    'gpt-5': 400_000 - GPT_ANSWER,
    'gpt-5-chat': 128_000,
    'gpt-5.1-chat': 128_000,
    'gpt-5.2-chat': 128_000,
    'gpt-4.1': 1_047_576,
    'gpt-4o': 128_000,
    'chatgpt-4o': 128_000,
    'gpt-4-turbo': 128_000,
    'gpt-4-1106': 128_000,
    'gpt-4-0125': 128_000,
    'gpt-4-32k': 32_768,
    'gpt-4': 8_192,
    'gpt-3.5-turbo': 16_385,
    'gpt-3.5-turbo-instruct': 4_096,
    o1: 200_000,
    'o1-mini': 128_000,
    'o1-preview': 128_000,
    o3: 200_000,
    'o4-mini': 200_000,
  },
  // The server's default unless it is configured to use more (`OLLAMA_CONTEXT_LENGTH`, or `num_ctx` in a
  // Modelfile), whatever the model was trained on. We request no other, and send `truncate: false`, so that a
  // longer request is refused: without it the server would silently drop the oldest messages.
  ollama: { '*': 4_096 },
  // The demo reads nothing but the question.
  demo: { '*': 1_000_000 },
};
