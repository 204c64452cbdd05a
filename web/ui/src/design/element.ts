import {
  ElButton, ElCheckbox, ElCheckboxGroup, ElConfigProvider, ElDatePicker, ElDialog, ElDrawer, ElDropdown, ElDropdownItem, ElDropdownMenu, ElInput,
  ElInputNumber, ElOption, ElPopover, ElRadio, ElRadioGroup, ElSegmented, ElSelect, ElSwitch, ElTable, ElTableColumn, ElTimePicker, ElTooltip,
} from 'element-plus'
import type { App, Plugin } from 'vue'

/** The parts of Element Plus in use; registering them here keeps the rest out of the bundle. */
const parts: Plugin[] = [
  ElButton, ElCheckbox, ElCheckboxGroup, ElConfigProvider, ElDatePicker, ElDialog, ElDrawer, ElDropdown, ElDropdownItem, ElDropdownMenu, ElInput,
  ElInputNumber, ElOption, ElPopover, ElRadio, ElRadioGroup, ElSegmented, ElSelect, ElSwitch, ElTable, ElTableColumn, ElTimePicker, ElTooltip,
]

export const useElement = (app: App): void => {
  for (const part of parts) app.use(part)
}
