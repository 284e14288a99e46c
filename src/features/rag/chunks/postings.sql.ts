import { Prisma } from '../../../generated/prisma/client.js';
import { READABLE_INDEX_IDS } from './access.sql.js';
import type { IndexTerm } from './postings.js';
import type { SearchScope } from './search-scope.repository.js';
import { toArrayLiteral } from './vector-codec.js';

/** Number of frequencies, of 2 bytes, in a number of 8. */
const FREQUENCIES_OF_NUMBER = 4;

/** Stands for the hash of a term that an index does not have. */
const NO_HASH = 0;
const NO_TERM = Prisma.raw(String(NO_HASH));

/** Expression for the frequency of a wanted term in a chunk that has it: the terms are ascending, so this is a binary search. */
export const FREQUENCY = frequencyOf(Prisma.sql`wanted.hash`);

/** Expression for a posting in the format of {@link Postings}, of a row `found`. */
export const PACKED_POSTING = Prisma.sql`uuid_send(found.ingestion_id) || ${packOrdinal('found')} || int2send(found.frequency)`;

/** Expression for the ordinal and the length in a posting, of a row of `chunk_terms`. */
export const PACKED_ORDINAL = packOrdinal('chunk_terms');

/** Returns the expression for the frequency of a term in a chunk that has it. */
export function frequencyOf(hash: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`chunk_terms.frequencies[width_bucket(${hash}, chunk_terms.terms)]`;
}

/** Returns the expression for the frequency of a term in a chunk that may not have it; 0 if there is no term. */
export function storedFrequency(hash: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`CASE WHEN ${hash} = ${NO_TERM} THEN 0 WHEN chunk_terms.terms[width_bucket(${hash}, chunk_terms.terms)] = ${hash}
    THEN ${frequencyOf(hash)}::bigint ELSE 0 END`;
}

/** Packs frequencies into numbers of 8 bytes, which takes half the time of packing each. */
export function packFrequencies(frequencies: readonly Prisma.Sql[]): Prisma.Sql {
  const numbers: Prisma.Sql[] = [];
  for (let first = 0; first < frequencies.length; first += FREQUENCIES_OF_NUMBER) {
    const parts = frequencies
      .slice(first, first + FREQUENCIES_OF_NUMBER)
      .map((frequency, place) => Prisma.sql`((${frequency}) << ${Prisma.raw(String(48 - 16 * place))})`);
    numbers.push(Prisma.sql`int8send(${Prisma.join(parts, ' | ')})`);
  }
  return Prisma.join(numbers, ' || ');
}

/** Returns the number of frequencies in a posting with those of some terms. */
export function countPackedFrequencies(terms: number): number {
  return FREQUENCIES_OF_NUMBER * Math.ceil(terms / FREQUENCIES_OF_NUMBER);
}

/** Returns the query for the hashes of terms in each readable index, in the columns `hash0`, `hash1` and so on. */
export function hashesByIndex(
  { indexes }: SearchScope,
  terms: readonly (readonly IndexTerm[])[],
): Prisma.Sql {
  const hashes = new Map(indexes.map(({ id }) => [id, terms.map(() => NO_HASH)]));
  for (const [term, places] of terms.entries())
    for (const { indexId, hash } of places) hashes.get(indexId)?.splice(term, 1, hash);
  const columns = terms.map((_places, term) => `list.hashes[${term + 1}] AS hash${term}`).join(', ');
  return Prisma.sql`
    SELECT list.index_id, ${Prisma.raw(columns)} FROM (
      SELECT index_id, hashes::int[] AS hashes FROM unnest(
        ${[...hashes.keys()]}::uuid[], ${[...hashes.values()].map(toArrayLiteral)}::text[]
      ) AS given (index_id, hashes) OFFSET 0) AS list
    WHERE list.index_id = ANY(${READABLE_INDEX_IDS})`;
}

/** Returns the table expression of terms with their positions, from 1, for a statement. */
export function wantedTerms(terms: readonly IndexTerm[]): Prisma.Sql {
  return Prisma.sql`unnest(
    ${terms.map(({ hash }) => hash)}::int[], ${terms.map(({ indexId }) => indexId)}::uuid[]
  ) WITH ORDINALITY AS wanted (hash, index_id, slot)`;
}

/** Returns the expression for the ordinal and the length of a chunk: one number of 8 bytes, which is faster than two. */
function packOrdinal(table: string): Prisma.Sql {
  return Prisma.raw(`int8send((${table}.ordinal::bigint << 32) | ${table}.length)`);
}
