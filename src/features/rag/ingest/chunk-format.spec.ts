import { describe, expect, it } from '@jest/globals';
import { chunkFormatOf } from './chunk-format.js';

function formatOf(name: string, mediaType: string, textFormat: 'pdf' | 'docx' | 'html' | 'text' = 'text') {
  return chunkFormatOf({ name, mediaType, textFormat });
}

describe('the structure of a text', () => {
  it('is that of its extraction, or of its media type', () => {
    expect(formatOf('a', 'application/pdf', 'pdf')).toBe('pdf');
    expect(formatOf('a', 'text/html', 'html')).toBe('html');
    expect(formatOf('a', 'text/csv')).toBe('csv');
    expect(formatOf('a', 'text/markdown')).toBe('markdown');
    expect(formatOf('a', 'application/json')).toBe('json');
  });

  it('is that of the name if the media type is no better than plain text', () => {
    expect(formatOf('README.md', 'text/plain')).toBe('markdown');
    expect(formatOf('table.CSV', 'text/plain')).toBe('csv');
    expect(formatOf('notes', 'text/plain')).toBe('text');
    expect(formatOf('notes.log', 'text/plain')).toBe('text');
    expect(formatOf('constructor.toString', 'text/plain')).toBe('text');
    expect(formatOf('a.csv', 'text/x-log')).toBe('text');
  });
});
