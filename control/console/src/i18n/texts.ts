// A key, and its text in [Japanese, English].
export type Texts = Record<string, readonly [ja: string, en: string]>;
