// Privileges of an RTC token. It owns their names and numbers (agora-token, AccessToken2, ServiceRtc).

export const privilegeNumbers = { joinChannel: 1, publishAudio: 2, publishVideo: 3, publishData: 4 } as const
export type PrivilegeName = keyof typeof privilegeNumbers

export const privilegesOf = {
  publisher: ['joinChannel', 'publishAudio', 'publishVideo', 'publishData'],
  subscriber: ['joinChannel'],
} as const satisfies Record<string, readonly PrivilegeName[]>
