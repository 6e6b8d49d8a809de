/** Received reports as they travel: plain, gzip or zip. A door: it uses a library for zip. Source: RFC 9990 sections 3.5 and 8.1. */
import { gunzipSync } from 'node:zlib'
import { unzipSync } from 'fflate'

export type Unpacked = { readonly bytes: Uint8Array } | { readonly problem: string }

/** A report that grows beyond this is none: RFC 9990 section 8.1 warns of bombs. */
const LARGEST_REPORT = 64 * 1024 * 1024

export function unpack(bytes: Uint8Array): Unpacked {
  try {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
      return { bytes: gunzipSync(bytes, { maxOutputLength: LARGEST_REPORT }) }
    }
    if (bytes[0] === 0x50 && bytes[1] === 0x4b) return fromZip(bytes)
    return { bytes }
  } catch (error) {
    return { problem: `cannot be unpacked: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** The first XML file of an archive. */
function fromZip(bytes: Uint8Array): Unpacked {
  let chosen: string | undefined
  let tooBig = false
  const files = unzipSync(bytes, {
    filter({ name, originalSize }) {
      if (chosen !== undefined || !/\.xml$/i.test(name)) return false
      tooBig = originalSize > LARGEST_REPORT
      if (tooBig) return false
      chosen = name
      return true
    },
  })
  const file = chosen === undefined ? undefined : files[chosen]
  if (file === undefined) return { problem: tooBig ? 'is too big unpacked' : 'holds no XML file' }
  return { bytes: file }
}
