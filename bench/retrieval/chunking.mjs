/*
 * RETRIEVAL_DATA=… node bench/retrieval/chunking.mjs
 *
 * How well chunks hold the passages that answer the questions of chunking_evaluation, for several sizes: the share of
 * passages that are whole in one chunk; recall and precision of the characters of the five chunks that the lexical search
 * finds first, as the authors of the set measure them; and the speed. Then time and memory for a CSV file of 200,000
 * rows, which is made while it is read.
 */
import { dataFolder, loadChunkingCorpora } from './datasets.mjs';
import { MemoryIndex } from './memory-index.mjs';
import { commonLength, mean, totalLength } from './metrics.mjs';

const retrieved = 5;
const sizes = [
  { maxTokens: 800, overlapTokens: 400 },
  { maxTokens: 800, overlapTokens: 0 },
  { maxTokens: 400, overlapTokens: 200 },
  { maxTokens: 200, overlapTokens: 100 },
  { maxTokens: 200, overlapTokens: 0 },
];

const modelFolder = new URL('../../dist/features/rag/model/', import.meta.url);
const { chunkPages } = await import(new URL('chunker.js', modelFolder).href);
const model = {
  ...(await import(new URL('tokenizer.js', modelFolder).href)),
  ...(await import(new URL('bm25.js', modelFolder).href)),
};

async function* onePage(text) {
  yield { page: 1, text, isLast: true };
}

function measureQuestion(index, chunks, { text, spans }) {
  const found = index.search(text, retrieved).map((id) => chunks[Number(id)]);
  const common = commonLength(spans, found);
  // Text that two of the found chunks share counts twice, as a model would read it twice.
  const read = found.reduce((sum, { start, end }) => sum + end - start, 0);
  return {
    whole: mean(
      spans.map(({ start, end }) => Number(chunks.some((chunk) => chunk.start <= start && chunk.end >= end))),
    ),
    recall: common / totalLength(spans),
    precision: read === 0 ? 0 : common / read,
  };
}

async function* csvParts(rows) {
  const rowsInPart = 10_000;
  for (let first = 1; first <= rows; first += rowsInPart) {
    const lines = Array.from({ length: rowsInPart }, (_, index) => {
      const row = first + index;
      return `${row},Customer ${row},${row % 97} Main Street,"He said ""${row}""\nand left",${row * 1.25}`;
    });
    const header = first === 1 ? 'id,name,address,note,amount\n' : '';
    yield { page: 1, text: `${header}${lines.join('\n')}\n`, isLast: first + rowsInPart > rows };
  }
}

async function measureCsv(rows) {
  const memoryBefore = process.memoryUsage().rss;
  const start = performance.now();
  let memory = memoryBefore;
  let chunks = 0;
  let lastRow = 0;
  for await (const chunk of chunkPages(csvParts(rows), { ...sizes[0], format: 'csv' })) {
    chunks += 1;
    lastRow = chunk.rows.last;
    memory = Math.max(memory, process.memoryUsage().rss);
  }
  const seconds = (performance.now() - start) / 1000;
  const growth = Math.round((memory - memoryBefore) / 2 ** 20);
  console.log(
    `CSV of ${lastRow} rows: ${chunks} chunks in ${seconds.toFixed(1)} s (${Math.round(chunks / seconds)} chunks/s), ` +
      `${growth} MiB more memory`,
  );
}

await measureCsv(200_000);
const folder = dataFolder();
if (folder !== undefined) {
  const corpora = await loadChunkingCorpora(folder);
  console.log(
    'tokens overlap  corpus               chunks  tokens/chunk   MB/s  whole  recall@5  precision@5',
  );
  for (const options of sizes) {
    const all = [];
    for (const { name, text, questions } of corpora) {
      const start = performance.now();
      const chunks = await Array.fromAsync(chunkPages(onePage(text), { ...options, format: 'markdown' }));
      const seconds = (performance.now() - start) / 1000;
      const index = new MemoryIndex(
        model,
        chunks.map((chunk, id) => ({ id: String(id), text: chunk.prefix + chunk.text })),
      );
      const measured = questions.map((question) => measureQuestion(index, chunks, question));
      all.push(...measured);
      const tokens = mean(chunks.map((chunk) => chunk.tokens)).toFixed(0);
      const speed = (Buffer.byteLength(text) / 1e6 / seconds).toFixed(1);
      print(
        options,
        name,
        [String(chunks.length).padStart(6), tokens.padStart(13), speed.padStart(6)],
        measured,
      );
    }
    print(options, 'all questions', [' '.repeat(6), ' '.repeat(13), ' '.repeat(6)], all);
  }
}

function print({ maxTokens, overlapTokens }, name, cells, measured) {
  const share = (key) => mean(measured.map((each) => each[key])).toFixed(3);
  console.log(
    String(maxTokens).padStart(6),
    String(overlapTokens).padStart(7),
    '',
    name.padEnd(20),
    ...cells,
    ` ${share('whole')}    ${share('recall')}        ${share('precision')}`,
  );
}
