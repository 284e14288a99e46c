import type { ChatMessage, MediaKind } from '../../../llm/index.js';

/** Largest size of all files of one question together, and of all files of what a model is told, in bytes. */
export const MAX_FILES_BYTES = 20 * 2 ** 20;

/** Largest size of a text that a model is told, in bytes. */
export const MAX_TEXT_BYTES = 2 ** 20;

/** As what a model is told a file. */
export type AttachmentKind = MediaKind | 'text';

/** A part of what a user says to a model. */
export type Part = Exclude<Extract<ChatMessage, { role: 'user' }>['content'], string>[number];

/** What a model is told a file as; undefined where there is no way. */
export function kindOf(mediaType: string): AttachmentKind | undefined {
  if (mediaType.startsWith('image/')) return 'image';
  if (mediaType === 'application/pdf') return 'pdf';
  return mediaType.startsWith('text/') || mediaType === 'application/json' ? 'text' : undefined;
}

/** A file as a model is told it. */
export function toPart(
  kind: AttachmentKind,
  { name, mediaType }: { readonly name: string; readonly mediaType: string },
  bytes: Buffer,
): Part {
  switch (kind) {
    case 'text':
      return toTextPart(name, bytes.toString());
    case 'image':
      return { type: 'image_url', image_url: { url: toDataUrl(mediaType, bytes) } };
    case 'pdf':
      return { type: 'file', file: { filename: name, file_data: toDataUrl(mediaType, bytes) } };
  }
}

/** A text file as a model is told it. Some wires have one text to a message, so it ends with a line of its own. */
export function toTextPart(name: string, text: string): { readonly type: 'text'; readonly text: string } {
  return { type: 'text', text: `File: ${name}\n\n${text}\n\n` };
}

/** What a model is told in the place of a file that it is not given. */
export function toAbsence(name: string, why: string): Part {
  return { type: 'text', text: `[The file "${name}" ${why}]\n\n` };
}

function toDataUrl(mediaType: string, bytes: Buffer): string {
  return `data:${mediaType};base64,${bytes.toString('base64')}`;
}
