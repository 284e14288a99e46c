import { describe, expect, it } from '@jest/globals';
import { stemEnglish } from './english-stemmer.js';

/** Words with their stems by the Snowball English stemmer of PostgreSQL, chosen so that each rule is used. */
const STEMS: Readonly<Record<string, string>> = {
  // Exceptions, and words that keep their form after the plural.
  skies: 'sky',
  dying: 'die',
  gently: 'gentl',
  news: 'news',
  herrings: 'herring',
  proceeds: 'proceed',
  // Step 0 and 1a.
  "president's": 'presid',
  caresses: 'caress',
  ties: 'tie',
  cries: 'cri',
  gas: 'gas',
  gaps: 'gap',
  status: 'status',
  // Step 1b.
  agreed: 'agre',
  feed: 'feed',
  hoping: 'hope',
  hopping: 'hop',
  luxuriated: 'luxuri',
  sing: 'sing',
  repeatedly: 'repeat',
  // Step 1c and the letter y.
  happy: 'happi',
  by: 'by',
  say: 'say',
  youth: 'youth',
  boyish: 'boyish',
  // Steps 2 to 5.
  generalization: 'general',
  vietnamization: 'vietnam',
  conditional: 'condit',
  hopefulness: 'hope',
  sensibility: 'sensibl',
  analogies: 'analog',
  quickly: 'quick',
  apply: 'appli',
  organizer: 'organ',
  communism: 'communism',
  communities: 'communiti',
  electrical: 'electr',
  goodness: 'good',
  demonstrative: 'demonstr',
  adoption: 'adopt',
  replacement: 'replac',
  rate: 'rate',
  cease: 'ceas',
  controlling: 'control',
  arsenal: 'arsenal',
};

describe('the stem of an English word', () => {
  it.each(Object.entries(STEMS))('of "%s" is "%s"', (word, stem) => {
    expect(stemEnglish(word)).toBe(stem);
  });
});
