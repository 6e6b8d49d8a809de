/** All router drivers. Adding one: a file beside this one and a line here. */
import type { RouterDriver } from '../types.ts'
import { accept } from './accept.ts'
import { dnslookup } from './dnslookup.ts'
import { ipliteral } from './ipliteral.ts'
import { iplookup } from './iplookup.ts'
import { manualroute } from './manualroute.ts'
import { queryprogram } from './queryprogram.ts'
import { redirect } from './redirect.ts'

export const routerDrivers: Readonly<Record<string, RouterDriver>> = {
  accept,
  dnslookup,
  ipliteral,
  iplookup,
  manualroute,
  queryprogram,
  redirect,
}
