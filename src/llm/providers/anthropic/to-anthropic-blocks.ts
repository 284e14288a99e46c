import type Anthropic from '@anthropic-ai/sdk';
import { AppError } from '../../../common/errors.js';
import { type ChatMessage, getField } from '../../port/index.js';

/** The blocks that we put into a user's turn. */
export type InputBlock = Anthropic.TextBlockParam | Anthropic.ImageBlockParam | Anthropic.DocumentBlockParam;

type UserContent = Extract<ChatMessage, { role: 'user' }>['content'];
type Part = Exclude<UserContent, string>[number];
type ImagePart = Extract<Part, { type: 'image_url' }>;
type FilePart = Extract<Part, { type: 'file' }>;
type TextOnly =
  string | readonly { readonly type: string; readonly text?: string; readonly refusal?: string }[];

/** The image types that the API accepts. https://platform.claude.com/docs/en/build-with-claude/vision */
const IMAGE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;

/** Other names of those types that are in use. */
const IMAGE_TYPE_ALIASES: ReadonlyMap<string, string> = new Map([
  ['image/jpg', 'image/jpeg'],
  ['image/pjpeg', 'image/jpeg'],
  ['image/x-png', 'image/png'],
]);

/**
 * Converts the content of a user message, or of a tool result, to blocks.
 * @throws AppError `invalid_request` for a part that the API format cannot carry
 */
export function toInputBlocks(content: UserContent | null | undefined): InputBlock[] {
  return typeof content === 'string' ? toTextBlocks(content) : (content ?? []).flatMap(toInputBlock);
}

/**
 * Converts text content to blocks. The API refuses a text of only white space like an empty one ("text content
 * blocks must contain non-whitespace text"), so both are omitted.
 */
export function toTextBlocks(content: TextOnly | null | undefined): Anthropic.TextBlockParam[] {
  if (typeof content === 'string') return isBlank(content) ? [] : [{ type: 'text', text: content }];
  return (content ?? []).flatMap((part) => {
    const text = part.text ?? part.refusal ?? '';
    return isBlank(text) ? [] : [{ type: 'text' as const, text, ...cacheMarkOf(part) }];
  });
}

/** Returns true for a text that the API treats as empty. */
export function isBlank(text: string): boolean {
  return text.trim() === '';
}

/** Returns the mark that ends a cached prefix, which callers who know Anthropic set on a part or a tool. */
export function cacheMarkOf(part: object): { cache_control?: Anthropic.CacheControlEphemeral } {
  const mark = getField(part, 'cache_control');
  return isCacheMark(mark) ? { cache_control: mark } : {};
}

function isCacheMark(value: unknown): value is Anthropic.CacheControlEphemeral {
  return getField(value, 'type') === 'ephemeral';
}

function toInputBlock(part: Part): InputBlock[] {
  switch (part.type) {
    case 'text':
      return toTextBlocks([part]);
    case 'image_url':
      return [{ type: 'image', source: imageSource(part), ...cacheMarkOf(part) }];
    case 'file':
      return [toDocument(part)];
    default:
      throw unsupportedContentError(
        `This model does not support content parts of type '${part.type}'.`,
        'messages',
      );
  }
}

function imageSource({ image_url: { url } }: ImagePart): Anthropic.ImageBlockParam['source'] {
  if (/^https?:/i.test(url)) return { type: 'url', url };
  const { mediaType, base64 } = parseDataUrl(url, 'image_url');
  const canonical = IMAGE_TYPE_ALIASES.get(mediaType) ?? mediaType;
  const known = IMAGE_TYPES.find((type) => type === canonical);
  if (known === undefined) {
    const message = `This model supports images of type ${IMAGE_TYPES.join(', ')}, not '${mediaType}'.`;
    throw unsupportedContentError(message, 'messages');
  }
  return { type: 'base64', media_type: known, data: base64 };
}

function toDocument(part: FilePart): Anthropic.DocumentBlockParam {
  const { file_data: data, filename } = part.file;
  if (data === undefined) {
    throw unsupportedContentError(
      "For this model, a 'file' part requires 'file_data' with a data URL.",
      'messages',
    );
  }
  const title = filename === undefined ? {} : { title: filename };
  return { type: 'document', source: documentSource(data), ...title, ...cacheMarkOf(part) };
}

function documentSource(data: string): Anthropic.DocumentBlockParam['source'] {
  const { mediaType, base64 } = parseDataUrl(data, 'file_data');
  if (mediaType === 'application/pdf') return { type: 'base64', media_type: 'application/pdf', data: base64 };
  if (mediaType.startsWith('text/') || mediaType === 'application/json') {
    return { type: 'text', media_type: 'text/plain', data: Buffer.from(base64, 'base64').toString() };
  }
  throw unsupportedContentError(`This model supports PDF and text files, not '${mediaType}'.`, 'messages');
}

/** Parses `data:<type>;base64,<data>` (RFC 2397), or a data URL with unencoded text. */
function parseDataUrl(url: string, field: string): { mediaType: string; base64: string } {
  const [, type = '', encoded] = /^data:([^,;]*)(?:;(?!base64,)[^,;]*)*(;base64)?,/i.exec(url) ?? [];
  const comma = url.indexOf(',');
  if (comma === -1 || !/^data:/i.test(url)) {
    throw unsupportedContentError(`For this model, '${field}' must be a data URL.`, 'messages');
  }
  const data = url.slice(comma + 1);
  return {
    mediaType: type.trim().toLowerCase() || 'text/plain',
    base64: encoded === undefined ? percentToBase64(data, field) : data,
  };
}

function percentToBase64(data: string, field: string): string {
  try {
    return Buffer.from(decodeURIComponent(data)).toString('base64');
  } catch {
    throw unsupportedContentError(`The data URL in '${field}' is not valid (RFC 2397).`, 'messages');
  }
}

/**
 * Returns the refusal of a request that the API format cannot carry: for the caller to fix, not a failure of
 * the provider.
 * @param param the field of the request
 */
export function unsupportedContentError(message: string, param: string): AppError {
  return new AppError('invalid_request', message, { param });
}
