/** What can become of messages that no longer fit into what a model is told: they are left out, or summed up. */
export const COMPACTIONS = ['none', 'summary'] as const;

export type Compaction = (typeof COMPACTIONS)[number];
