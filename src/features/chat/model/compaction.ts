/** Treatment of messages that no longer fit into the context: they are left out, or summarized. */
export const COMPACTIONS = ['none', 'summary'] as const;

export type Compaction = (typeof COMPACTIONS)[number];
