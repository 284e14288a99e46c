/** A schema in Swagger UI: an object, or its immutable map. */
type UiSchema = Readonly<Record<string, unknown>> & {
  readonly toJS?: () => Readonly<Record<string, unknown>>;
};

/** The part of Swagger UI that makes up values. */
interface UiFunctions {
  getSampleSchema: (schema: UiSchema, contentType: unknown, ...more: readonly unknown[]) => unknown;
}

/**
 * A plugin of Swagger UI that leaves a field of a form empty if it has neither a default nor an example, and so out of the
 * request. Without it, the UI makes up a value for each, for example an id of no file beside the chosen file.
 *
 * Its source is sent to the browser, so it refers to nothing outside.
 */
export function emptyFormFields({ fn }: { readonly fn: UiFunctions }): { readonly fn: UiFunctions } {
  const { getSampleSchema } = fn;
  return {
    fn: {
      getSampleSchema: (schema, contentType, ...more) => {
        // Only fields of forms are sampled without a media type.
        if (contentType !== false) return getSampleSchema(schema, contentType, ...more);
        const { default: usual, example } = schema.toJS?.() ?? schema;
        return usual === undefined && example === undefined
          ? ''
          : getSampleSchema(schema, contentType, ...more);
      },
    },
  };
}
