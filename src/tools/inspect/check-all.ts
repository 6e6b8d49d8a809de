/** Everything that can be said about a configuration without running it: what reading, starting and looking closer find. */
import { type Diagnostic, locate } from '../../base/diagnostic.ts'
import { createAccounts } from '../../base/accounts.ts'
import type { Configuration } from '../../language/config/configuration.ts'
import { checkTexts } from '../../server/check-configuration.ts'
import { type ConfigurationRequest, loadConfiguration } from '../../server/configuration-file.ts'
import { runTimeUser } from '../../server/run-time-user.ts'
import { inspectConfiguration } from './check/index.ts'
import { inOrder } from './findings.ts'
import { groupsOf, hostView, type Viewer } from './host-view.ts'

export type Checked =
  | { readonly is: 'checked'; readonly configuration: Configuration; readonly found: readonly Diagnostic[] }
  | { readonly is: 'none'; readonly message: string }

export async function checkAll(request: ConfigurationRequest): Promise<Checked> {
  const loaded = await loadConfiguration(request)
  if (loaded.is === 'none') return loaded
  const { configuration } = loaded
  const looked = configuration.whole
    ? [
        ...checkTexts(configuration),
        ...inspectConfiguration(configuration, hostView(viewerOf(configuration))),
      ]
    : []
  const found = inOrder([...configuration.diagnostics, ...looked].map(withComment), configuration.files)
  return { is: 'checked', configuration, found }
}

/** A value that is wrong since what looks like a comment is part of it. */
const maybeComment = new Set(
  'acl-control-options driver-unknown reference-undefined user-not-found value-constant value-extra'.split(
    ' ',
  ),
)

function withComment(diagnostic: Diagnostic): Diagnostic {
  const { at, code, help = '' } = diagnostic
  if (at === undefined || !maybeComment.has(code) || help.includes('comment')) return diagnostic
  const { column, lineText } = locate(at)
  if (!/(?:^|\s)#/.test(lineText.slice(column - 1))) return diagnostic
  return { ...diagnostic, help: `a comment stands on a line of its own${help === '' ? '' : `; ${help}`}` }
}

/** The user that will read the files, where that shows without expanding anything. */
function viewerOf({ main }: Configuration): Viewer | undefined {
  const found = runTimeUser(main.exim_user?.text, main.exim_group?.text, createAccounts())
  if (found.is !== 'user') return undefined
  const { name, uid, gid } = found.user
  return { uid, gids: [gid, ...groupsOf(name)] }
}
