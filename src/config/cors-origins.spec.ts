import { describe, expect, it } from '@jest/globals';
import { parseCorsOrigins } from './cors-origins.js';

describe('CORS_ORIGINS', () => {
  it.each<[string, unknown]>([
    ['*', '*'],
    ['https://app.example.com', ['https://app.example.com']],
    [
      'https://app.example.com, http://localhost:5173,http://[::1]:8080',
      ['https://app.example.com', 'http://localhost:5173', 'http://[::1]:8080'],
    ],
    ['https://xn--bcher-kva.example', ['https://xn--bcher-kva.example']],
  ])('accepts %s', (text, value) => {
    expect(parseCorsOrigins(text)).toEqual(value);
  });

  it.each([
    'app.example.com',
    'app.example.com:3000',
    'https://',
    'https://app.example.com/',
    'https://app.example.com/chat',
    'https://app.example.com?x',
    'https://app.example.com:443',
    'http://app.example.com:80',
    'http://app.example.com:99999',
    'https://App.example.com',
    'HTTPS://app.example.com',
    'https://me@app.example.com',
    'https://bücher.example',
    'https://*.example.com',
    'https://app.example.com https://other.example.com',
    'https://app.example.com,',
    'https://app.example.com,*',
    '*,*',
    'ftp://app.example.com',
    'file://',
    'null',
    'true',
    'none',
  ])('rejects %s', (text) => {
    expect(parseCorsOrigins(text)).toBeUndefined();
  });
});
