import type { Component } from 'vue'
import type { RouteRecordRaw } from 'vue-router'
import type { Session } from '@/api/types'

/** The nine blocks of the menu, in their order; the last two stand under a divider. */
export type MenuGroup = 'calls' | 'tasks' | 'support' | 'reports' | 'recordings' | 'live' | 'me' | 'studio' | 'admin'

export interface MenuItem {
  group: MenuGroup
  /** Path of the route that opens. */
  path: string
  /** Locale key of the name, at most 6 characters in Chinese. */
  title: string
  /** Pinyin initials for the search, e.g. "wjld". */
  pinyin: string
  order: number
  /** Who sees it; without it everybody. Call it cheap: it runs at each render. */
  allow?: (session: Session) => boolean
  /** A number beside the name; `hot` fills it red. Called inside setup once, may use stores. */
  counter?: () => { value: number; hot?: boolean } | null
}

export interface Feature {
  routes?: RouteRecordRaw[]
  menu?: MenuItem[]
  locales: { 'zh-CN': object; en: object }
  /** Parts of the frame a feature fills. */
  frame?: { phoneBar?: Component; statusBar?: Component; background?: Component }
}

declare module 'vue-router' {
  interface RouteMeta {
    /** Locale key of the tab's name. A view may set a better one with useTab(). */
    title?: string
    /** Pages without the frame: login, wallboard. */
    bare?: boolean
    /** Open to people who are not signed in. */
    public?: boolean
    allow?: (session: Session) => boolean
    /** The page of the current call: its tab is pinned and always gets a place while a call is there. */
    call?: boolean
  }
}

export const defineFeature = (feature: Feature): Feature => feature
