/** The spool: `docs/spool-format.md` describes it. */
export * from './api.ts'
export { openSpool, type SpoolOptions } from './opening.ts'
export { headerFileOf } from './exim-files.ts'
export { exportSpool, importSpool, type TransferResult } from './exim-format.ts'
