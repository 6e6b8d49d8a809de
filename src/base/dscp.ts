/** Names of traffic classes. Source: RFC 2474, 2597, 3246, 8622; the older ones: RFC 1349. Exim manual, "-bI:dscp". */

/** The whole octet: a class of six bits stands in its upper part. */
const octets: Readonly<Record<string, number>> = {
  af11: 0x28,
  af12: 0x30,
  af13: 0x38,
  af21: 0x48,
  af22: 0x50,
  af23: 0x58,
  af31: 0x68,
  af32: 0x70,
  af33: 0x78,
  af41: 0x88,
  af42: 0x90,
  af43: 0x98,
  ef: 0xb8,
  lowcost: 0x02,
  lowdelay: 0x10,
  mincost: 0x02,
  reliability: 0x04,
  throughput: 0x08,
}

export const dscpNames: readonly string[] = Object.keys(octets)

/** The octet for a name or a number from 0 to 0x3F; undefined: neither. */
export function trafficOctet(value: string): number | undefined {
  const text = value.trim().toLowerCase()
  if (Object.hasOwn(octets, text)) return octets[text]
  if (!/^(?:0x[0-9a-f]+|\d+)$/.test(text)) return undefined
  // As C reads numbers: a leading zero is octal.
  const number = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text)
  return number <= 0x3f ? number << 2 : undefined
}
