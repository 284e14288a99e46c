declare namespace PDFKit.Mixins {
  interface PDFText {
    /** `@types/pdfkit` knows only a list of OpenType features to turn on; the library also turns features off. */
    text(text: string, options: { readonly features: Readonly<Record<string, boolean>> }): this;
  }
}
