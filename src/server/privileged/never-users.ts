/** `never_users` as uids. Source: Exim manual, "never_users". */
import type { Server } from '../server.ts'
import { buildValues } from '../build-table.ts'

export async function neverUids(server: Server): Promise<ReadonlySet<number>> {
  const uids = new Set(buildValues.fixedNeverUsers)
  for (const name of (await server.list(server.settings.never_users)) ?? []) {
    const uid = /^\d+$/.test(name) ? Number(name) : server.accounts.byName(name)?.uid
    if (uid !== undefined) uids.add(uid)
  }
  return uids
}
