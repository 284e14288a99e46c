/** A font that a PDF names without containing it, as files from East Asia do, and the encoding of its text. */
export interface PredefinedMap {
  /** Name of a character map that PDF predefines (ISO 32000-2, 9.7.5.2). */
  readonly map: string;
  /** Character collection of Adobe. */
  readonly ordering: 'GB1' | 'CNS1' | 'Japan1' | 'Korea1';
  /** The text in the encoding of the map, in hexadecimal digits. */
  readonly text: string;
}

/** Makes a PDF of one page, whose only font has a predefined map and no characters of its own. */
export function makePredefinedMapPdf({ map, ordering, text }: PredefinedMap): Buffer<ArrayBuffer> {
  const content = `BT /F1 24 Tf 100 700 Td <${text}> Tj ET`;
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    `<< /Type /Font /Subtype /Type0 /BaseFont /Plain /Encoding /${map} /DescendantFonts [6 0 R] >>`,
    `<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Plain /FontDescriptor 7 0 R /DW 1000
       /CIDSystemInfo << /Registry (Adobe) /Ordering (${ordering}) /Supplement 2 >> >>`,
    `<< /Type /FontDescriptor /FontName /Plain /Flags 4 /FontBBox [-25 -254 1000 880] /ItalicAngle 0
       /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>`,
  ];
  let file = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = file.length;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`);
  const table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries.join('')}`;
  const trailer = `trailer << /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`;
  return Buffer.from(file + table + trailer, 'latin1');
}
