import { at, type ApiResponse, type TestUser } from './client.js';

/** A file that a test uploads. */
export interface TestFile {
  readonly name?: string;
  /** The declared media type. */
  readonly type?: string;
  readonly bytes?: string | Uint8Array<ArrayBuffer>;
}

/** Creates a form with a file by Node's own client. */
export function formOf(file: TestFile, field = 'file'): FormData {
  const { name = 'note.txt', type = 'text/plain', bytes = 'Hello' } = file;
  const form = new FormData();
  form.append(field, new Blob([bytes], { type }), name);
  return form;
}

/** Uploads a file, or the given form. */
export async function upload(
  url: string,
  { token }: TestUser,
  file: TestFile | FormData,
): Promise<ApiResponse> {
  const response = await fetch(`${url}/api/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: file instanceof FormData ? file : formOf(file),
  });
  const body: unknown = await response.json();
  return { status: response.status, headers: response.headers, body };
}

/** Uploads a file and returns its id. */
export async function uploadedId(url: string, user: TestUser, file: TestFile = {}): Promise<string> {
  const { status, body } = await upload(url, user, file);
  if (status !== 201) throw new Error(`The upload answered ${status}: ${JSON.stringify(body)}`);
  return String(at(body, 'id'));
}

/** An image of one pixel. */
export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=',
  'base64',
);

/** Signatures by which file types are detected. */
export const HEADS = {
  'image/png': PNG,
  'image/jpeg': Buffer.from('ffd8ffe000104a464946', 'hex'),
  'image/gif': Buffer.from('GIF89a\x01\x00\x01\x00', 'latin1'),
  'image/webp': Buffer.from('RIFF\x1a\x00\x00\x00WEBPVP8L', 'latin1'),
  'application/pdf': Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1'),
} as const;
