import {
  EXTRACTION_FAILURES,
  type ExtractionFailure,
  TEXT_FORMATS,
  type TextFormat,
} from './extraction/extracted-text.js';
import { textFormatOf } from './text-format.js';

/** State of the text of a file. */
export type FileTextState =
  { readonly status: 'pending' | 'ready' } | { readonly status: 'failed'; readonly error: ExtractionFailure };

/** A stored file. */
export interface StoredFile {
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
  /** Size in bytes. */
  readonly size: number;
  /** SHA-256 of its bytes. */
  readonly hash: Uint8Array;
  /** Name of its bytes in the folder of its owner in the file storage. */
  readonly contentId: string;
  /** Format by which its text is extracted; null if it has no text. */
  readonly textFormat: TextFormat | null;
  readonly text: FileTextState;
  readonly purpose: string;
  /** From then on the file no longer exists for its owner; null if it does not expire. */
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
}

/** A row of the query for files. */
export interface FileRow {
  readonly id: string;
  readonly name: string;
  readonly mediaType: string;
  readonly size: number;
  readonly hash: Uint8Array;
  /** Null in rows of earlier versions. */
  readonly contentId: string | null;
  readonly textFormat: string | null;
  readonly textStatus: 'pending' | 'ready' | 'failed' | null;
  readonly textError: string | null;
  readonly purpose: string;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
}

/** Converts a row to a file. */
export function toStoredFile(row: FileRow): StoredFile {
  const { id, name, mediaType, size, hash, contentId, purpose, expiresAt, createdAt } = row;
  const textFormat = formatOf(row);
  return {
    id,
    name,
    mediaType,
    size,
    hash,
    contentId: contentId ?? id,
    textFormat,
    text: toTextState(row, textFormat),
    purpose,
    expiresAt,
    createdAt,
  };
}

/** Returns the format of a file's text. Rows of earlier versions have none: their media type decides. */
function formatOf({ contentId, textFormat, mediaType }: FileRow): TextFormat | null {
  if (contentId === null) return textFormatOf(mediaType);
  return TEXT_FORMATS.find((format) => format === textFormat) ?? null;
}

function toTextState({ textStatus, textError }: FileRow, format: TextFormat | null): FileTextState {
  if (format === null) return { status: 'failed', error: 'unsupported_type' };
  if (textStatus !== 'failed') return { status: textStatus ?? 'pending' };
  // A newer version may have failures that this one does not know.
  return { status: 'failed', error: EXTRACTION_FAILURES.find((error) => error === textError) ?? 'damaged' };
}
