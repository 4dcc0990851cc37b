/** What a change of configuration comes to, one thing at a time. */
export type Action =
  | { readonly kind: 'add-service'; readonly service: string }
  | { readonly kind: 'change-service'; readonly service: string; readonly keys: readonly string[] }
  | { readonly kind: 'remove-service'; readonly service: string }

/** "shop: changed tls.certificates", for a person. */
export function describeAction(action: Action): string {
  switch (action.kind) {
    case 'add-service':
      return `service ${action.service}: added`
    case 'change-service':
      return `service ${action.service}: changed ${action.keys.join(', ')}`
    case 'remove-service':
      return `service ${action.service}: removed`
    default:
      throw new Error(`unreachable: ${JSON.stringify(action satisfies never)}`)
  }
}
