import { compile, type FormatCallback } from 'html-to-text';
import { checkHtmlDepth } from './html-depth.js';

/** Maximum depth of elements whose text is read. */
const MAX_DEPTH = 200;

/** Writes a table as lines with its cells between bars, which stay readable in any font and length. */
const formatTable: FormatCallback = (table, walk, builder) => {
  const rows = (nodes: typeof table.children): void => {
    for (const node of nodes) {
      if (node.type !== 'tag') continue;
      if (node.name === 'tr') {
        builder.openTableRow();
        for (const cell of node.children) {
          if (cell.name !== 'td' && cell.name !== 'th') continue;
          builder.openTableCell();
          walk(cell.children, builder);
          builder.closeTableCell();
        }
        builder.closeTableRow();
      } else if (node.name === 'caption') {
        builder.openTableRow();
        builder.openTableCell();
        walk(node.children, builder);
        builder.closeTableCell();
        builder.closeTableRow();
      } else if (node.name === 'thead' || node.name === 'tbody' || node.name === 'tfoot') rows(node.children);
    }
  };
  builder.openTable();
  rows(table.children);
  builder.closeTable({
    tableToString: (cells) =>
      cells
        .map((row) => row.map(({ text }) => text.replaceAll(/\s*\n\s*/g, ' ').trim()))
        .filter((row) => row.some((text) => text !== ''))
        .map((row) => row.join(' | '))
        .join('\n'),
    leadingLineBreaks: 2,
    trailingLineBreaks: 2,
  });
};

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
  limits: { maxDepth: MAX_DEPTH, maxInputLength: Number.MAX_SAFE_INTEGER, ellipsis: '' },
  selectors: [
    { selector: 'a', options: { ignoreHref: true } },
    // The arrows by which notes of a converted DOCX lead back to the text.
    ...['footnote', 'endnote', 'comment'].map((note) => ({
      selector: `a[href^="#${note}-ref-"]`,
      format: 'skip',
    })),
    { selector: 'img', format: 'skip' },
    { selector: 'svg', format: 'skip' },
    { selector: 'template', format: 'skip' },
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
  return convert(html);
}
