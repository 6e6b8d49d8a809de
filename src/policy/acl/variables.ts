/** `$acl_c...` and `$acl_m...`. Source: Exim manual, "ACL variables". */
import type { Text } from '../../base/text.ts'
import type { Context } from '../../ports.ts'

/** Sets a variable; its name begins with `acl_`. Without a message at hand, `acl_m` ones have no place and are lost. */
export function setAclVariable(context: Context, name: string, value: Text): void {
  const short = name.slice('acl_'.length)
  const variables = short.startsWith('c') ? context.connection?.aclC : context.message?.aclM
  variables?.set(short, value)
}
