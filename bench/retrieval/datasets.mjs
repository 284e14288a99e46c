/*
 * The public data sets of the retrieval benchmarks, from the folder that RETRIEVAL_DATA names: XQuAD in several
 * languages (xquad.<language>.json, SQuAD format), LIMIT-small (limit-small.*.jsonl, BEIR format) and chunking_evaluation
 * (chunking-*.md with chunking-questions.csv).
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/**
 * @typedef {object} RetrievalSet
 * @property {string} name
 * @property {{ id: string, text: string, article?: number }[]} documents
 * @property {{ id: string, text: string, relevant: Set<string> }[]} questions
 */

/**
 * @typedef {object} ChunkingCorpus
 * @property {string} name
 * @property {string} text
 * @property {{ text: string, spans: { start: number, end: number }[] }[]} questions spans in UTF-16 units
 */

/** Returns the folder of the data; undefined after a line that says so if there is none. */
export function dataFolder() {
  const folder = process.env.RETRIEVAL_DATA;
  if (!folder) console.log('SKIPPED: RETRIEVAL_DATA names no folder with the data sets.');
  return folder || undefined;
}

/** @param {string} folder @returns {Promise<RetrievalSet[]>} */
export async function loadRetrievalSets(folder) {
  const files = (await readdir(folder)).sort();
  const squad = files.filter((file) => /^xquad\..+\.json$/.test(file));
  const beir = files.filter((file) => file.endsWith('.corpus.jsonl'));
  return [
    ...(await Promise.all(squad.map((file) => loadSquad(join(folder, file))))),
    ...(await Promise.all(beir.map((file) => loadBeir(join(folder, file))))),
  ];
}

/**
 * Returns one set with the documents and questions of several.
 * @param {readonly RetrievalSet[]} sets
 * @returns {RetrievalSet}
 */
export function poolSets(sets) {
  const keyed = (set, id) => `${set.name}/${id}`;
  return {
    name: 'pooled',
    documents: sets.flatMap((set) => set.documents.map(({ id, text }) => ({ id: keyed(set, id), text }))),
    questions: sets.flatMap((set) =>
      set.questions.map(({ id, text, relevant }) => ({
        id: keyed(set, id),
        text,
        relevant: new Set(Array.from(relevant, (document) => keyed(set, document))),
      })),
    ),
  };
}

/** @param {string} folder @returns {Promise<ChunkingCorpus[]>} */
export async function loadChunkingCorpora(folder) {
  const files = (await readdir(folder)).filter((file) => /^chunking-.+\.md$/.test(file)).sort();
  if (files.length === 0) return [];
  const rows = parseCsv(await readFile(join(folder, 'chunking-questions.csv'), 'utf8')).slice(1);
  return Promise.all(
    files.map(async (file) => {
      const name = basename(file, '.md').slice('chunking-'.length);
      const text = await readFile(join(folder, file), 'utf8');
      const positions = codePointPositions(text);
      const questions = rows
        .filter(([, , corpus]) => corpus === name)
        .map(([question, references]) => ({
          text: question,
          spans: JSON.parse(references).map(({ start_index, end_index }) => ({
            start: positions(start_index),
            end: positions(end_index),
          })),
        }));
      return { name, text, questions };
    }),
  );
}

/** @returns {Promise<RetrievalSet>} */
async function loadSquad(path) {
  const { data } = JSON.parse(await readFile(path, 'utf8'));
  const paragraphs = data.flatMap(({ paragraphs }, article) =>
    paragraphs.map((paragraph) => ({ ...paragraph, article })),
  );
  return {
    name: basename(path, '.json'),
    documents: paragraphs.map(({ context, article }, index) => ({
      id: String(index),
      text: context,
      article,
    })),
    questions: paragraphs.flatMap(({ qas }, index) =>
      qas.map(({ id, question }) => ({ id, text: question, relevant: new Set([String(index)]) })),
    ),
  };
}

/** @returns {Promise<RetrievalSet>} */
async function loadBeir(corpusPath) {
  const base = corpusPath.slice(0, -'.corpus.jsonl'.length);
  const [corpus, queries, judgements] = await Promise.all(
    ['corpus', 'queries', 'qrels'].map((part) => readJsonLines(`${base}.${part}.jsonl`)),
  );
  const relevant = Map.groupBy(
    judgements.filter(({ score }) => score > 0),
    (judgement) => judgement['query-id'],
  );
  return {
    name: basename(base),
    documents: corpus.map(({ _id, title, text }) => ({ id: _id, text: title ? `${title}\n${text}` : text })),
    questions: queries
      .filter(({ _id }) => relevant.has(_id))
      .map(({ _id, text }) => ({
        id: _id,
        text,
        relevant: new Set(relevant.get(_id).map((judgement) => judgement['corpus-id'])),
      })),
  };
}

async function readJsonLines(path) {
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => JSON.parse(line));
}

/** Returns a function that converts a position in code points, which Python counts, to UTF-16 units. */
function codePointPositions(text) {
  const surrogates = Array.from(text.matchAll(/[\u{10000}-\u{10FFFF}]/gu), ({ index }, nth) => index - nth);
  return (position) => position + surrogates.filter((index) => index < position).length;
}

function parseCsv(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n\r]*))(,|\r?\n|$)/g)) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end !== ',') rows.push([]);
  }
  return rows.filter((row) => row.length > 1);
}
