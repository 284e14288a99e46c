import { describe, expect, it } from '@jest/globals';
import { DOCX_TYPE, MediaTypeDetector } from './media-type.js';

const OLE = Buffer.from('d0cf11e0a1b11ae1', 'hex');

function detectType(bytes: Buffer, declared = '', pieceSize = bytes.length): unknown {
  const detector = new MediaTypeDetector();
  for (let offset = 0; offset < bytes.length; offset += pieceSize)
    detector.add(bytes.subarray(offset, offset + pieceSize));
  const { mediaType, textFormat } = detector.detect(declared);
  return [mediaType, textFormat];
}

describe('MediaTypeDetector', () => {
  it.each([1, 3, 17, 1000])('recognizes a DOCX in pieces of %d bytes', (size) => {
    const bytes = Buffer.from(`PK\x03\x04${'x'.repeat(100)}word/document.xml${'y'.repeat(50)}`);
    expect(detectType(bytes, 'text/plain', size)).toEqual([DOCX_TYPE, 'docx']);
  });

  it.each<[string, Buffer, string, string, string | null]>([
    ['another archive', Buffer.from('PK\x03\x04word/letter.doc'), '', 'application/zip', null],
    ['a DOCX of another program', Buffer.from('PK\x03\x04word/document2.xml'), '', DOCX_TYPE, 'docx'],
    ['an old Office file', Buffer.concat([OLE, Buffer.alloc(99)]), '', 'application/x-ole-storage', null],
    [
      'an encrypted DOCX',
      Buffer.concat([OLE, Buffer.from('EncryptedPackage', 'utf16le')]),
      '',
      'application/x-ole-storage',
      'docx',
    ],
    [
      'a PDF after other bytes',
      Buffer.from(`${'\n'.repeat(1000)}%PDF-1.4`),
      'text/plain',
      'application/pdf',
      'pdf',
    ],
    [
      'a text about PDF',
      Buffer.from('# Files\n\nThey begin with %PDF-1.4.'),
      'text/markdown',
      'text/markdown',
      'text',
    ],
    ['a truncated PNG', Buffer.from('\x89PNG', 'latin1'), 'text/plain', 'application/octet-stream', null],
    ['a PDF signature too late', Buffer.from(`${'\n'.repeat(1024)}%PDF-1.4`), '', 'text/plain', 'text'],
    ['HTML by its start', Buffer.from('\uFEFF <!DOCTYPE html><p>'), '', 'text/html', 'html'],
    ['HTML by its declaration', Buffer.from('<p>Hi'), 'text/html; charset=x', 'text/html', 'html'],
    ['CSV that begins as HTML', Buffer.from('<html>'), 'text/csv', 'text/csv', 'text'],
    ['JSON', Buffer.from('{}'), 'application/json', 'application/json', 'text'],
    ['a text with a NUL', Buffer.from('one part\0and another'), '', 'text/plain', 'text'],
    ['nine NULs', Buffer.from('some text'.repeat(50) + '\0'.repeat(9)), '', 'application/octet-stream', null],
    ['lone surrogates', Buffer.from('One \xed\xa0\x80 two \xed\xb0\x80', 'latin1'), '', 'text/plain', 'text'],
    ['UTF-16 without a mark', Buffer.from('Hi', 'utf16le'), '', 'application/octet-stream', null],
    [
      'windows-1252',
      Buffer.from('Un caf\xe9 cr\xe8me, s\x92il vous pla\xeet.', 'latin1'),
      '',
      'text/plain',
      'text',
    ],
    [
      'windows-1252 after much ASCII',
      Buffer.from(`${'word '.repeat(4000)}caf\xe9\n`, 'latin1'),
      '',
      'text/plain',
      'text',
    ],
    [
      'Russian in windows-1251',
      Buffer.from('ece0ece020ecfbebe020f0e0ecf3', 'hex'),
      '',
      'application/octet-stream',
      null,
    ],
    [
      'HTML in an encoding that it names',
      Buffer.from('<html><meta charset="windows-1251"><p>\xec\xe0\xec\xe0', 'latin1'),
      '',
      'text/html',
      'html',
    ],
    [
      'HTML that is not in the encoding that it names',
      Buffer.from('<html><meta charset="Shift_JIS"><p>\xec\xe0\xec\xe0', 'latin1'),
      '',
      'application/octet-stream',
      null,
    ],
    [
      'a text about HTML in an unknown encoding',
      Buffer.from('Write <meta charset="windows-1251"> \xec\xe0\xec\xe0', 'latin1'),
      'text/markdown',
      'application/octet-stream',
      null,
    ],
    ['UTF-16', Buffer.from('\uFEFFHello', 'utf16le'), '', 'text/plain', 'text'],
    ['bytes', Buffer.from([1, 2, 0, 255, 254]), 'text/plain', 'application/octet-stream', null],
    ['an image', Buffer.from('GIF89a...'), 'text/plain', 'image/gif', null],
  ])('detects %s', (_, bytes, declared, mediaType, textFormat) => {
    expect(detectType(bytes, declared)).toEqual([mediaType, textFormat]);
    expect(detectType(bytes, declared, 5)).toEqual([mediaType, textFormat]);
  });
});
