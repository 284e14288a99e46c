import {
  type ChatMessage,
  type ChatRequest,
  countTokensOfEach,
  estimateMediaTokens,
} from '../../llm/index.js';

/** Bytes of audio per token, of the formats that pack most into a byte. */
const AUDIO_BYTES_PER_TOKEN = 400;

/** Tokens for the framing of a message, in addition to its content. */
const TOKENS_PER_MESSAGE = 4;

type Part = Exclude<ChatMessage['content'], string | null | undefined>[number];

/**
 * Estimates the input tokens of a request: its texts, tool calls and schemas by our count, and the images, audio and
 * PDFs that it contains. Files that it names by id are not counted.
 */
export function estimateInputTokens({
  messages,
  tools = [],
  response_format: format,
}: Pick<ChatRequest, 'messages' | 'tools' | 'response_format'>): number {
  const texts = messages.flatMap(textsOf);
  if (tools.length > 0) texts.push(JSON.stringify(tools));
  if (format?.type === 'json_schema') texts.push(JSON.stringify(format.json_schema));
  const ofTexts = countTokensOfEach(texts).reduce((sum, tokens) => sum + tokens, 0);
  const ofMedia = messages.flatMap(partsOf).reduce((sum, part) => sum + mediaTokens(part), 0);
  return ofTexts + ofMedia + messages.length * TOKENS_PER_MESSAGE;
}

function textsOf(message: ChatMessage): string[] {
  const texts = partsOf(message).flatMap((part) => (part.type === 'text' ? part.text : []));
  if (typeof message.content === 'string') texts.push(message.content);
  if (message.role === 'assistant' && message.tool_calls) texts.push(JSON.stringify(message.tool_calls));
  return texts;
}

function partsOf({ content }: ChatMessage): readonly Part[] {
  // The model layer decides whether messages have their required fields, and only for models that need it.
  return Array.isArray(content) ? content : [];
}

function mediaTokens(part: Part): number {
  switch (part.type) {
    case 'image_url':
      return estimateMediaTokens('image', 0);
    case 'file':
      return part.file.file_data === undefined ? 0 : estimateMediaTokens('pdf', bytesOf(part.file.file_data));
    case 'input_audio':
      return Math.ceil(bytesOf(part.input_audio.data) / AUDIO_BYTES_PER_TOKEN);
    default:
      return 0;
  }
}

/** Returns the number of bytes that a base64 text has. */
function bytesOf(base64: string): number {
  return Math.floor((base64.length * 3) / 4);
}
