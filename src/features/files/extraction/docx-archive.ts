import { crc32 } from 'node:zlib';

/** An entry of an archive: its name and its content. */
export interface ArchiveEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** Date of all entries, 1980-01-01, as MS-DOS writes it. */
const DATE = 0x21;

/** Flag of entries whose names are in UTF-8. */
const UTF8_FLAG = 0x0800;

const VERSION_NEEDED = 20;

/** Returns a ZIP archive of the entries, not compressed; for fewer than 65,535 entries and 4 GB. */
export function packArchive(entries: readonly ArchiveEntry[]): Buffer {
  const pieces: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of entries) {
    const encodedName = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(VERSION_NEEDED, 0);
    common.writeUInt16LE(UTF8_FLAG, 2);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(encodedName.length, 22);
    const central = Buffer.alloc(46);
    central.write('PK\x01\x02', 'latin1');
    central.writeUInt16LE(VERSION_NEEDED, 4);
    common.copy(central, 6);
    central.writeUInt32LE(offset, 42);
    directory.push(central, encodedName);
    const local = [Buffer.from('PK\x03\x04', 'latin1'), common, encodedName, content];
    pieces.push(...local);
    offset += local.reduce((sum, { length }) => sum + length, 0);
  }
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(
    directory.reduce((sum, { length }) => sum + length, 0),
    12,
  );
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...pieces, ...directory, end]);
}
