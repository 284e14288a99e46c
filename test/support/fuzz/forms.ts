import type { FuzzRequest } from './raw-request.js';

const BOUNDARY = 'fuzz-boundary';

/** The content type of a form built by {@link formWith}. */
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

/** Builds a form with text fields and a small file. */
export function formWith(field: string, texts: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts = texts.map(
    ([name, value]) => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  return Buffer.from(
    `${parts.join('')}--${BOUNDARY}\r\nContent-Disposition: form-data; name="${field}"; filename="note.txt"\r\n` +
      `Content-Type: text/plain\r\n\r\nHello\r\n--${BOUNDARY}--\r\n`,
  );
}

/** A change to a form that must be refused if it has `statuses`. */
export interface FormAttack {
  readonly label: string;
  readonly alter: (request: FuzzRequest) => FuzzRequest;
  readonly statuses?: readonly number[];
}

/** Returns forms that no client sends by mistake. */
export function hostileForms(): FormAttack[] {
  const refused = [400];
  return [
    { ...changed('half a form', (text) => text.slice(0, -20)), statuses: refused },
    { ...changed('an empty form', () => ''), statuses: refused },
    { ...changed('no form', () => '{"file":1}'), statuses: refused },
    { ...changed('no end', (text) => text.replaceAll('--\r\n', '')), statuses: refused },
    { ...changed('no file', (text) => text.replace('; filename="note.txt"', '')), statuses: refused },
    { ...changed('another field', (text) => text.replace('"file"', '"__proto__"')), statuses: refused },
    { ...changed('no field', (text) => text.replace('name="file"; ', '')), statuses: refused },
    { ...changed('no headers', (text) => text.replace(/Content[^]*plain\r\n/, '')), statuses: refused },
    { ...changed('two files', (text) => text.replace(/--fuzz-boundary--/, '') + text), statuses: refused },
    { ...changed('an empty file', (text) => text.replace('Hello', '')), statuses: refused },
    { ...changed('too much', (text) => text.replace('Hello', 'x'.repeat(2_200_000))), statuses: [413] },
    {
      ...changed('a thousand parts', (text) => text.replace(/--\r\n$/, '\r\n').repeat(1000)),
      statuses: refused,
    },
    changed('a long name', (text) => text.replace('note', 'x'.repeat(4000))),
    changed('a path', (text) => text.replace('note.txt', '../../../../etc/passwd')),
    changed('a name of control characters', (text) => text.replace('note.txt', '\u0001\u202e\u0085')),
    changed('a name that is no UTF-8', (text) => text.replace('note.txt', 'a\xff\xfe\xed\xa0\x80')),
    changed('an encoded name', (text) => text.replace('filename="note.txt"', `filename*=utf-16''%00%zz`)),
    changed('long headers', (text) => text.replace('\r\n\r\n', `\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)),
    changed('many headers', (text) => text.replace('\r\n\r\n', `${'\r\nX: 1'.repeat(5000)}\r\n\r\n`)),
    changed('a strange type', (text) => text.replace('text/plain', 'text/\x00<script>; charset=\xff')),
    changed('an encoding', (text) =>
      text.replace('\r\n\r\n', '\r\nContent-Transfer-Encoding: base64\r\n\r\n'),
    ),
    typed('no boundary', 'multipart/form-data', [400, 415]),
    typed('an empty boundary', 'multipart/form-data; boundary=', refused),
    typed('a long boundary', `multipart/form-data; boundary=${'x'.repeat(8000)}`, refused),
    typed('another form', 'application/x-www-form-urlencoded', [415]),
    typed('JSON', 'application/json', [400, 415]),
  ];
}

function changed(label: string, change: (text: string) => string): FormAttack {
  return {
    label,
    alter: (request) => ({
      ...request,
      body: Buffer.from(change(request.body?.toString('latin1') ?? ''), 'latin1'),
    }),
  };
}

function typed(label: string, type: string, statuses: readonly number[]): FormAttack {
  return {
    label,
    alter: (request) => ({ ...request, headers: { ...request.headers, 'content-type': type } }),
    statuses,
  };
}
