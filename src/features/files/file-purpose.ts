/** Purposes of files that clients may declare, as in OpenAI's API. */
export const FILE_PURPOSES = ['user_data', 'assistants', 'batch', 'vision'] as const;

/** A purpose that clients may declare. */
export type FilePurpose = (typeof FILE_PURPOSES)[number];

/** Purpose of a file whose client declares none. */
export const DEFAULT_PURPOSE: FilePurpose = 'user_data';

/** Purposes of files that the server makes for an account; clients cannot declare them. */
export const RESULT_PURPOSES = ['batch_output'] as const;

/** A purpose of a file that the server makes. */
export type ResultPurpose = (typeof RESULT_PURPOSES)[number];
