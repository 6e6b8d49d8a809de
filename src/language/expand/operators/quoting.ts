/** How texts are quoted inside queries. Source: Exim manual, "File and database lookups". */
import type { ByteString } from '../../../base/text.ts'

function backslashed(text: ByteString, special: RegExp): ByteString {
  return text.replace(special, (char) => {
    const letter = { '\n': 'n', '\t': 't', '\r': 'r', '\b': 'b' }[char]
    return `\\${letter ?? char}`
  })
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** RFC 4515 escapes for filters, then URL escapes, since Exim's queries are URLs. */
function quoteLdap(text: ByteString): ByteString {
  return text
    .replace(/[*()\\\0]/g, (char) => `\\${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
    .replace(/[^A-Za-z0-9!$'\-._()*+]/g, percent)
}

/** RFC 4514 escapes for distinguished names, then URL escapes. */
function quoteLdapDn(text: ByteString): ByteString {
  return text
    .replace(/[,+"\\<>;]/g, '\\$&')
    .replace(/^[ #]+| +$/g, (edge) => edge.replace(/./g, '\\$&'))
    .replace(/[^A-Za-z0-9!$'\-._()*+]/g, percent)
}

/** By lookup type; `ldap_dn` is a name of its own. */
export const quoters: Readonly<Record<string, (text: ByteString) => ByteString>> = {
  ldap: quoteLdap,
  ldapdn: quoteLdap,
  ldapm: quoteLdap,
  ldap_dn: quoteLdapDn,
  mysql: (text) => backslashed(text, /[\n\t\r\b'"\\]/g),
  nisplus: (text) => text.replaceAll('"', '""'),
  oracle: (text) => backslashed(text, /[\n\t\r\b'"\\]/g),
  // A quote is doubled, as standard_conforming_strings wants it; a backslash too, for servers without.
  pgsql: (text) => text.replaceAll("'", "''").replace(/[\n\t\r\b"\\]/g, (c) => backslashed(c, /[\s\S]/g)),
  redis: (text) => text.replace(/[\s\\]/g, '\\$&'),
  sqlite: (text) => text.replaceAll("'", "''"),
}
