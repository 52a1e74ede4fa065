// Faults of a policy file. It owns their shape: where, which rule, and how to mend it. All of a file are reported at once.

export interface Fault {
  /** The place in the file, such as `grants[0].agora.channel`. */
  readonly path: string
  readonly rule: string
  readonly mend: string
  /** A warning does not keep the policy from being used. */
  readonly severity: 'fault' | 'warning'
  /** 1-based line in the file, where known. */
  readonly line?: number
}

export interface Report {
  readonly faults: readonly Fault[]
  fault(path: string, rule: string, mend: string): undefined
  warning(path: string, rule: string, mend: string): undefined
}

export function createReport(): Report {
  const faults: Fault[] = []
  const add = (severity: Fault['severity']) => (path: string, rule: string, mend: string) => {
    faults.push({ path, rule, mend, severity })
    return undefined
  }
  return { faults, fault: add('fault'), warning: add('warning') }
}

export const isFatal = (faults: readonly Fault[]): boolean => faults.some(({ severity }) => severity === 'fault')

export const faultText = ({ path, rule, mend, severity, line }: Fault): string =>
  `${severity}${line === undefined ? '' : ` (line ${line})`}: ${path}: ${rule}. ${mend}.`
