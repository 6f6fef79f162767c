/** @odoo-module **/
import { registry } from "@web/core/registry";

const ADDON = "mikrotik_monitoring";

/** A menu under Telemetry or Configuration: its heading is opened first. */
function entry(heading, menu) {
  return [
    { content: `open ${heading}`, trigger: `.o_menu_sections button[data-menu-xmlid="${ADDON}.${heading}"]` },
    { content: `open ${menu}`, trigger: `.o-dropdown--menu .dropdown-item[data-menu-xmlid="${ADDON}.${menu}"]` },
  ];
}

/** Wait until a view with this title is shown. */
function shows(title) {
  return {
    content: `${title} are shown`,
    trigger: `.o_action_manager .o_breadcrumb .o_last_breadcrumb_item:contains("${title}")`,
    run: () => {},
  };
}

const openApp = [
  { content: "open the apps", trigger: ".o_navbar_apps_menu button" },
  { content: "open MikroTik", trigger: `.o_app[data-menu-xmlid="${ADDON}.menu_root"]` },
];

// Every menu leads somewhere.
registry.category("web_tour.tours").add("mikrotik_monitoring_menus", {
  test: true,
  url: "/web",
  steps: () => [
    ...openApp,
    shows("Devices"),
    { content: "open Events", trigger: `.o_menu_sections [data-menu-xmlid="${ADDON}.menu_mikrotik_event"]` },
    shows("Events"),
    ...entry("menu_telemetry", "menu_mikrotik_metric_latest"),
    shows("Latest values"),
    ...entry("menu_telemetry", "menu_mikrotik_metric_point"),
    shows("History"),
    ...entry("menu_configuration", "menu_mikrotik_site"),
    shows("Sites"),
    ...entry("menu_configuration", "menu_mikrotik_credential_set"),
    shows("Credential sets"),
    ...entry("menu_configuration", "menu_mikrotik_connection"),
    shows("Connections"),
    ...entry("menu_configuration", "menu_mikrotik_diagnostic"),
    shows("Diagnostics"),
    ...entry("menu_configuration", "menu_mikrotik_device_removal"),
    shows("Removals"),
  ],
});
