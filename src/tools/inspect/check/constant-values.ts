/** Values that are expanded when they are used, and are constant and wrong: Exim finds out then. */
import { nearest, type Report } from '../../../base/diagnostic.ts'
import { parseIp } from '../../../base/ip.ts'
import { textOf } from '../../../base/text.ts'
import { createListMatcher } from '../../../language/lists/index.ts'
import { readQuota } from '../../../flow/delivery/transports/quota-value.ts'
import { knownPorts, splitInterface } from '../../../server/listen-addresses.ts'
import type { Check, OwnedText, Subject } from './subject.ts'

interface Fault {
  readonly says: string
  readonly help: string
}

type Judge = (value: string) => Fault | undefined

/** Of the main section and of all transports. */
const judges: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ['main local_interfaces', eachOf(interfaceAddress)],
  ['main message_size_limit', size],
  ['transport helo_data', (value) => (/^\[[\da-f.:]+\]$/i.test(value) ? undefined : hostName(value))],
  ['transport interface', eachOf(address)],
  ['transport message_size_limit', size],
  ['transport port', port],
  ['transport quota', quota],
  ['transport quota_filecount', quota],
  ['transport quota_warn_threshold', threshold],
])

export const constantValues: Check = {
  name: 'constant-values',
  doc: 'Constant values of options that are expanded at use.',
  run(subject, report) {
    for (const owned of subject.texts) option(owned, report)
    plainOptions(subject, report)
  },
}

/** Options of the main section that are not expanded. */
function plainOptions({ configuration: { main, mainSetAt } }: Subject, report: Report): void {
  for (const [name, value, judge] of [
    ['primary_hostname', main.primary_hostname ?? '', hostName],
    ['qualify_domain', main.qualify_domain ?? '', hostName],
    ['qualify_recipient', main.qualify_recipient ?? '', hostName],
    ['daemon_smtp_ports', main.daemon_smtp_ports.join(' : '), eachOf(port)],
    ['tls_on_connect_ports', (main.tls_on_connect_ports ?? []).join(' : '), eachOf(port)],
  ] as const) {
    const at = mainSetAt.get(name)
    const fault = at === undefined ? undefined : judge(value)
    if (fault !== undefined) tell(fault, at, report)
  }
}

function tell({ says, help }: Fault, at: Parameters<Report>[0]['at'], report: Report): void {
  report({ code: 'value-constant', severity: 'error', message: says, at, help })
}

function option({ owner, text }: OwnedText, report: Report): void {
  if (owner.in !== 'main' && owner.in !== 'transport') return
  const judge = judges.get(`${owner.in} ${owner.option}`)
  if (judge === undefined || /[$\\]/.test(text.text) || text.text.trim() === '') return
  const fault = judge(text.text.trim())
  if (fault !== undefined) tell(fault, text.span(), report)
}

function eachOf(judge: Judge): Judge {
  return (value) => {
    for (const item of createListMatcher().splitList(value)) {
      const fault = judge(textOf(item).trim())
      if (fault !== undefined) return fault
    }
    return undefined
  }
}

function port(value: string): Fault | undefined {
  const known = Object.keys(knownPorts)
  if (/^\d+$/.test(value) ? Number(value) < 65_536 : known.includes(value)) return undefined
  // Another service may stand in /etc/services; what is nearly one of mail's does not.
  const near = nearest(value, known)
  if (near === undefined && /^[a-z][a-z0-9-]*$/.test(value)) return undefined
  return {
    says: `"${value}" is no port`,
    help:
      near === undefined ? 'a number to 65535, or smtp, submission, submissions' : `did you mean "${near}"?`,
  }
}

function interfaceAddress(value: string): Fault | undefined {
  if (splitInterface(value) !== undefined) return undefined
  return {
    says: `"${value}" is no address to listen on`,
    help: 'an IP address, with a port after a dot: 192.0.2.1.587 or [2001:db8::1]:587',
  }
}

function address(value: string): Fault | undefined {
  if (value === '' || parseIp(value) !== undefined) return undefined
  return {
    says: `"${value}" is no IP address`,
    help: 'an address of this host, from which connections are made',
  }
}

function size(value: string): Fault | undefined {
  if (/^\d+[KMG]?$/i.test(value)) return undefined
  return { says: `"${value}" is no size`, help: 'a number, with K, M or G after it: 50M' }
}

/** One without a number is what an expansion may come to; written down, it is a slip. */
function isSize(value: string): boolean {
  return value === '' || (/\d/.test(value) && readQuota(value) !== undefined)
}

function quota(value: string): Fault | undefined {
  if (isSize(value)) return undefined
  return { says: `"${value}" is no quota`, help: 'a number, with K, M or G after it: 500M, 500M/no_check' }
}

function threshold(value: string): Fault | undefined {
  if (isSize(value.replace(/%$/, ''))) return undefined
  return { says: `"${value}" is no threshold`, help: 'a size, or a part of the quota: 90%' }
}

function hostName(value: string): Fault | undefined {
  if (value === '' || /^[\w.-]+$/.test(value)) return undefined
  return { says: `"${value}" is no domain name`, help: 'a full domain name: mail.example.org' }
}
