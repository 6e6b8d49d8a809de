/** How addresses are read under the main options. */
import type { ParseAddressOptions } from '../../mail/parse-address.ts'
import type { Context } from '../../ports.ts'

export function addressOptions(settings: Context['settings'], utf8: boolean): ParseAddressOptions {
  return {
    allowNull: false,
    allowDomainLiterals: settings.allow_domain_literals,
    allowUtf8Domains: settings.allow_utf8_domains || utf8,
    stripTrailingDot: settings.strip_trailing_dot,
    stripAngleBrackets: settings.strip_excess_angle_brackets,
  }
}
