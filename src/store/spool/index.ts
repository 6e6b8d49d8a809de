/** The spool: `docs/spool-format.md` describes it. */
export * from './api.ts'
export { openSpool, type SpoolOptions } from './opening.ts'
