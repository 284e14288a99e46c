import { compile, type FormatCallback } from 'html-to-text';
import { toParserFailure } from './extraction-error.js';
import { checkHtmlDepth } from './markup-depth.js';

/** Elements of a table that contain rows. */
const ROW_GROUPS: ReadonlySet<string | undefined> = new Set(['thead', 'tbody', 'tfoot', 'form']);

/** Elements with lines of their own that the converter would join with the text around them. */
const OTHER_BLOCKS = [
  ...['html', 'body', 'center', 'dialog', 'dl', 'dt', 'dd', 'details', 'summary', 'fieldset', 'legend'],
  ...['figure', 'figcaption', 'option'],
];

const ONE_LINE_BREAK = { leadingLineBreaks: 1, trailingLineBreaks: 1 };

/**
 * Writes a table as lines with its cells between bars, which stay readable in any font and length. Text that HTML allows
 * in no such place, such as between two rows, has a row or cell of its own.
 */
const formatTable: FormatCallback = (table, walk, builder) => {
  const writeCell = (nodes: typeof table.children): void => {
    builder.openTableCell();
    walk(nodes, builder);
    builder.closeTableCell();
  };
  const writeCells = (nodes: typeof table.children): void => {
    for (const node of nodes) {
      if (node.name === 'form') writeCells(node.children);
      else if (node.name === 'td' || node.name === 'th') writeCell(node.children);
      else if (hasContent(node)) writeCell([node]);
    }
  };
  const writeRow = (write: (nodes: typeof table.children) => void, nodes: typeof table.children): void => {
    builder.openTableRow();
    write(nodes);
    builder.closeTableRow();
  };
  const writeRows = (nodes: typeof table.children): void => {
    for (const node of nodes) {
      if (node.name === 'tr') writeRow(writeCells, node.children);
      else if (node.name === 'caption') writeRow(writeCell, node.children);
      else if (ROW_GROUPS.has(node.name)) writeRows(node.children);
      else if (hasContent(node)) writeRow(writeCell, [node]);
    }
  };
  builder.openTable();
  writeRows(table.children);
  builder.closeTable({
    tableToString: (cells) =>
      cells
        .map((row) => row.map(({ text }) => toOneLine(text)))
        .filter((row) => row.some((text) => text !== ''))
        .map((row) => row.join(' | '))
        .join('\n'),
    leadingLineBreaks: 2,
    trailingLineBreaks: 2,
  });
};

/** Joins lines. Not by a pattern for the white space around a line break: its time grows with the square of spaces. */
function toOneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');
}

/** Returns true for an element, and for text other than the white space between elements. */
function hasContent({ type, data }: { readonly type: string; readonly data?: string | undefined }): boolean {
  return type === 'tag' || (type === 'text' && data !== undefined && /\S/.test(data));
}

/** Marks a heading as Markdown does. */
const formatHeading: FormatCallback = (heading, walk, builder) => {
  const level = Number(heading.name?.slice(1)) || 1;
  builder.openBlock({ leadingLineBreaks: 2 });
  walk(heading.children, builder);
  builder.closeBlock({
    trailingLineBreaks: 2,
    blockTransform: (text) => (text.trim() === '' ? text : `${'#'.repeat(level)} ${text}`),
  });
};

const convert = compile({
  wordwrap: false,
  formatters: { readableTable: formatTable, markedHeading: formatHeading },
  // Everything, and not only what is inside of a body: pages are not as valid as HTML demands.
  baseElements: { selectors: [] },
  limits: { maxInputLength: Number.MAX_SAFE_INTEGER },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    // The arrows by which notes of a converted DOCX lead back to the text.
    ...['footnote', 'endnote', 'comment'].map((note) => ({
      selector: `a[href^="#${note}-ref-"]`,
      format: 'skip',
    })),
    ...['img', 'svg', 'template'].map((selector) => ({ selector, format: 'skip' })),
    { selector: 'title', format: 'paragraph' },
    ...OTHER_BLOCKS.map((selector) => ({ selector, format: 'block', options: ONE_LINE_BREAK })),
    { selector: 'table', format: 'readableTable' },
    { selector: 'ul', options: { itemPrefix: '- ' } },
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6'].map((selector) => ({ selector, format: 'markedHeading' })),
  ],
});

/**
 * Returns the text of an HTML document: headings as Markdown, tables with a line per row, no scripts and styles.
 * @throws ExtractionError with `too_large` if it is nested too deep
 */
export function htmlToReadableText(html: string): string {
  checkHtmlDepth(html);
  try {
    return convert(html);
  } catch (error) {
    // Some elements need more of the stack than others, so fewer levels of them fit.
    throw toParserFailure(error);
  }
}
