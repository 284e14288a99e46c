import type { ChatMessage, MediaKind } from '../../../llm/index.js';

/** Maximum total size of the files of one question, and of all files in the context of a turn, in bytes. */
export const MAX_FILES_BYTES = 20 * 2 ** 20;

/** Maximum size of a text file that is sent to a model, in bytes. */
export const MAX_TEXT_BYTES = 2 ** 20;

/** Form in which a file is sent to a model. */
export type AttachmentKind = MediaKind | 'text';

/** A content part of a user message. */
export type Part = Exclude<Extract<ChatMessage, { role: 'user' }>['content'], string>[number];

/** Returns the form in which a file is sent to a model; undefined if it cannot be sent. */
export function attachmentKind(mediaType: string): AttachmentKind | undefined {
  if (mediaType.startsWith('image/')) return 'image';
  if (mediaType === 'application/pdf') return 'pdf';
  return mediaType.startsWith('text/') || mediaType === 'application/json' ? 'text' : undefined;
}

/** Converts a file to a content part. */
export function toContentPart(
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

/**
 * Converts a text file to a content part. Some API formats have a single text per message, so the part ends with a
 * blank line.
 */
export function toTextPart(name: string, text: string): { readonly type: 'text'; readonly text: string } {
  return { type: 'text', text: `File: ${name}\n\n${text}\n\n` };
}

/** Returns the text sent to a model in place of a file that is left out. */
export function toOmittedFilePart(name: string, why: string): Part {
  return { type: 'text', text: `[The file "${name}" ${why}]\n\n` };
}

function toDataUrl(mediaType: string, bytes: Buffer): string {
  return `data:${mediaType};base64,${bytes.toString('base64')}`;
}
