/** The full name of a calling user. Source: Exim manual, `gecos_pattern`, `gecos_name`, "Constructed addresses". */
import { compileRegex } from '../../base/regex.ts'
import type { ByteString } from '../../base/text.ts'
import type { ConnectionFacts, Context } from '../../ports.ts'
import { expandOption } from './matching.ts'

export async function callerName(
  caller: Pick<NonNullable<ConnectionFacts['caller']>, 'login' | 'uid'>,
  context: Context,
): Promise<ByteString> {
  const account = context.ports.accounts.byUid(caller.uid)
  const { settings } = context
  if (account === undefined) return settings.unknown_username ?? ''
  const pattern = settings.gecos_pattern
  let name = account.gecos
  if (pattern !== undefined && settings.gecos_name !== undefined) {
    const match = matching(pattern, account.gecos)
    if (match !== undefined) {
      name = (await expandOption(settings.gecos_name, { ...context, captures: match })) ?? name
    }
  }
  // An ampersand stands for the login name with a capital letter.
  return name.replaceAll('&', caller.login.slice(0, 1).toUpperCase() + caller.login.slice(1))
}

function matching(pattern: string, text: ByteString): (ByteString | undefined)[] | undefined {
  const regex = compileRegex(pattern)
  const match = 'error' in regex ? undefined : regex.match(text)
  return match === undefined || 'error' in match ? undefined : [...match]
}
