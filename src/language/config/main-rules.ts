/** What values of main options may be, beyond their type. Sentences are Exim's where it has one. */
import { readOpensslOptions } from '../../base/openssl-options.ts'
import { compileRegex } from '../../base/regex.ts'
import { parseAddress } from '../../mail/parse-address.ts'
import { parseTime, splitList } from './values.ts'

/** A rule of the main section. */
export interface MainRule {
  readonly option: string
  /** @param on whether another option is switched on */
  fault(
    value: string,
    on: (option: string) => boolean,
  ): { readonly says: string; readonly help: string } | undefined
}

const facilities =
  'auth authpriv cron daemon ftp kern lpr mail news syslog user uucp local0 local1 local2 local3 local4 local5 local6 local7'

export const mainRules: readonly MainRule[] = [
  {
    option: 'syslog_facility',
    fault: (value) =>
      facilities.split(' ').includes(value.replace(/^log_/i, '').toLowerCase())
        ? undefined
        : { says: `failed to interpret syslog_facility "${value}"`, help: `known are ${facilities}` },
  },
  {
    option: 'localhost_number',
    fault: (value) => {
      if (value.includes('$')) return undefined
      if (!/^\d+$/.test(value))
        return { says: `localhost_number value is not a number: ${value}`, help: 'write 0 to 16' }
      if (Number(value) <= 16) return undefined
      return {
        says: 'localhost_number is greater than the maximum allowed value (16)',
        help: 'write 0 to 16',
      }
    },
  },
  {
    option: 'log_file_path',
    fault: (value) => {
      if (value.includes('$')) return undefined
      const path = splitList(value).find(
        (item) => item !== '' && item !== 'syslog' && !item.includes('%s') && !isStream(item),
      )
      if (path === undefined) return undefined
      return {
        says: `log_file_path "${path}" does not contain "%s"`,
        help: '%s becomes main, reject or panic',
      }
    },
  },
  ...['smtp_ratelimit_mail', 'smtp_ratelimit_rcpt'].map((option): MainRule => {
    return {
      option,
      fault: (value) => {
        const [threshold = '', base = '', factor = '', limit = '', ...rest] = value
          .split(',')
          .map((part) => part.trim())
        const times = parseDelay(base) && parseDelay(limit) && rest.length === 0
        if (/^\d+$/.test(threshold) && times && /^\d+(?:\.\d+)?$/.test(factor)) return undefined
        return {
          says: `malformed ratelimit data: ${value}`,
          help: 'write number, delay, factor, longest delay, as in 2,0.5s,1.05,4m',
        }
      },
    }
  }),
  {
    option: 'errors_reply_to',
    fault: (value) => {
      const read = parseAddress(value)
      const help = 'write one address with its domain, as in postmaster@example.com'
      if (read.is === 'error') return { says: `error in errors_reply_to (${value}): ${read.message}`, help }
      return read.domain === ''
        ? { says: `errors_reply_to (${value}) does not contain a domain`, help }
        : undefined
    },
  },
  {
    option: 'local_sender_retain',
    fault: (value, on) =>
      value === 'true' && on('local_from_check')
        ? {
            says: 'both local_from_check and local_sender_retain are set; this combination is not allowed',
            help: 'a Sender line is kept only where none is made: local_from_check = false',
          }
        : undefined,
  },
  {
    option: 'uucp_from_pattern',
    fault: (value) => {
      const regex = value === '' ? undefined : compileRegex(value)
      return regex === undefined || !('error' in regex)
        ? undefined
        : {
            says: `regular expression error: ${regex.error} at offset ${regex.at} while compiling ${value}`,
            help: 'its first part in brackets is the sender',
          }
    },
  },
  words('dmarc_mode', ['auto', 'rfc9989', 'rfc7489']),
  words('dmarc_forensic_policy', ['any', 'enforced']),
  {
    option: 'event_stream',
    fault: (value) =>
      value.includes('$') || /^(?:(?:file:|unix:)?\/|https?:\/\/)/.test(value)
        ? undefined
        : {
            says: `event_stream "${value}" names no place that events can go to`,
            help: 'write a path, unix:/path, http://... or https://...',
          },
  },
  {
    option: 'openssl_options',
    fault: (value) => {
      const read = readOpensslOptions(value)
      return 'problem' in read
        ? { says: read.problem, help: 'write +name or -name, with names as the manual lists them' }
        : undefined
    },
  },
  {
    option: 'tls_dh_max_bits',
    fault: (value) =>
      Number(value) >= 1024
        ? undefined
        : {
            says: 'tls_dh_max_bits is too small, must be at least 1024 for interop',
            help: 'write 1024 or more',
          },
  },
  {
    option: 'ldap_version',
    fault: (value) =>
      value.trim() === '3'
        ? undefined
        : {
            says: `ldap_version ${value} is not supported`,
            help: 'leave it out: version 3 is spoken (RFC 4511)',
          },
  },
  {
    option: 'ldap_require_cert',
    fault: (value) =>
      /^(?:never|allow|try|demand|hard)$/i.test(value)
        ? undefined
        : {
            says: `unknown ldap_require_cert setting: ${value}`,
            help: 'write never, allow, try, demand or hard',
          },
  },
  {
    option: 'message_id_form',
    fault: (value) =>
      value === 'long' || value === 'short'
        ? undefined
        : { says: `unknown message_id_form setting: ${value}`, help: 'write long or short' },
  },
]

/** The standard streams, for containers. */
function isStream(path: string): boolean {
  return path === 'stderr' || path === 'stdout' || path.startsWith('/dev/')
}

/** A time that may have a decimal point: `0.5s`. */
function parseDelay(text: string): boolean {
  return /^\d+(?:\.\d+)?s$/.test(text) || parseTime(text) !== undefined
}

/** An option that takes one of a few words. */
function words(option: string, known: readonly string[]): MainRule {
  return {
    option,
    fault: (value) =>
      known.includes(value)
        ? undefined
        : { says: `unknown ${option} setting: ${value}`, help: `known are ${known.join(', ')}` },
  }
}
