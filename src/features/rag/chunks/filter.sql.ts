import { Prisma } from '../../../generated/prisma/client.js';
import type { ComparisonOperator, MetadataFilter } from '../model/filter.js';
import type { MetadataScalar } from '../model/metadata.js';

/** Operators of an order. */
const ORDER_OPERATORS = {
  gt: Prisma.sql`>`,
  gte: Prisma.sql`>=`,
  lt: Prisma.sql`<`,
  lte: Prisma.sql`<=`,
} as const satisfies Partial<Record<ComparisonOperator, Prisma.Sql>>;

/**
 * Returns a condition that is true or false, never null. All values are parameters.
 * @param metadata expression of type jsonb, an object
 */
export function filterToSql(filter: MetadataFilter, metadata: Prisma.Sql): Prisma.Sql {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return joinFilters(filter.kind, filter.filters, metadata);
    case 'comparison':
      return comparisonToSql(filter, fieldOf(metadata, filter.field));
    case 'membership': {
      const isMember = containsAny(fieldOf(metadata, filter.field), filter.values);
      return filter.operator === 'in' ? isMember : Prisma.sql`NOT ${isMember}`;
    }
  }
}

function joinFilters(
  kind: 'and' | 'or',
  filters: readonly MetadataFilter[],
  metadata: Prisma.Sql,
): Prisma.Sql {
  if (filters.length === 0) return kind === 'and' ? Prisma.sql`TRUE` : Prisma.sql`FALSE`;
  const conditions = filters.map((filter) => filterToSql(filter, metadata));
  return Prisma.sql`(${Prisma.join(conditions, kind === 'and' ? ' AND ' : ' OR ')})`;
}

function comparisonToSql(
  { operator, value }: Extract<MetadataFilter, { kind: 'comparison' }>,
  field: Prisma.Sql,
): Prisma.Sql {
  if (operator === 'eq') return containsAny(field, [value]);
  if (operator === 'ne') return Prisma.sql`NOT ${containsAny(field, [value])}`;
  // jsonb compares numbers by value, and its order of texts depends on the database: C compares code points.
  return typeof value === 'string'
    ? Prisma.sql`COALESCE(jsonb_typeof(${field}) = 'string' AND
        (${field} #>> '{}') COLLATE "C" ${ORDER_OPERATORS[operator]} ${value}, FALSE)`
    : Prisma.sql`COALESCE(jsonb_typeof(${field}) = 'number' AND
        ${field} ${ORDER_OPERATORS[operator]} ${JSON.stringify(value)}::jsonb, FALSE)`;
}

/** Returns true if the field is one of the values, or a list with one of them. A list contains a scalar in jsonb. */
function containsAny(field: Prisma.Sql, values: readonly MetadataScalar[]): Prisma.Sql {
  const list = values.map((value) => JSON.stringify(value));
  return Prisma.sql`COALESCE(${field} @> ANY(${list}::jsonb[]), FALSE)`;
}

function fieldOf(metadata: Prisma.Sql, field: string): Prisma.Sql {
  return Prisma.sql`(${metadata} -> ${field}::text)`;
}
