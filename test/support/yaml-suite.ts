/** Reads whole YAML, which public test suites use; the SPF suite needs less and has its own reader. */
import { parseAllDocuments } from 'yaml'

export type Tree = string | readonly Tree[] | { readonly [key: string]: Tree } | null

/** All scalars as texts, as they stand. */
export function readSuite(text: string): readonly Tree[] {
  // The schema gives maps, lists and strings, and nothing for what is left out.
  return [...parseAllDocuments(text, { schema: 'failsafe' })].map((document): Tree => document.toJS() as Tree)
}
