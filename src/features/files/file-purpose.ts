/** Purposes of files that clients may declare, as in OpenAI's API. */
export const FILE_PURPOSES = ['user_data', 'assistants', 'batch', 'vision'] as const;

/** A purpose that clients may declare. */
export type FilePurpose = (typeof FILE_PURPOSES)[number];

/** Purpose of a file whose client declares none. */
export const DEFAULT_PURPOSE: FilePurpose = 'user_data';
