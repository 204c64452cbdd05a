import { createPinia } from 'pinia'
import { createApp } from 'vue'
import 'element-plus/dist/index.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import './design/tokens.css'
import './design/base.css'
import './design/element.css'
import App from './app/App.vue'
import { features } from './app/collected'
import { addMessages, i18n, locale } from './app/i18n'
import { router } from './app/router'
import { useElement } from './design/element'

document.documentElement.lang = locale.value
for (const feature of features) addMessages(feature.locales)

createApp(App).use(createPinia()).use(i18n).use(useElement).use(router).mount('#app')
