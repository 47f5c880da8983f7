// Made by scripts/write-ga4-table.py from events/dialects/ga4.py: change it there.
export const GA4 = {
  "events": {
    "add_to_cart": {
      "event": "Product Added",
      "single": true
    },
    "begin_checkout": {
      "event": "Checkout Started"
    },
    "experience_impression": {
      "left_out": true
    },
    "experiment_viewed": {
      "event": "Experiment Viewed"
    },
    "page_view": {
      "type": "page"
    },
    "purchase": {
      "event": "Order Completed",
      "worth": true
    },
    "refund": {
      "event": "Order Refunded",
      "worth": true,
      "unvalued": "Order Cancelled"
    },
    "remove_from_cart": {
      "event": "Product Removed",
      "single": true
    },
    "view_item": {
      "event": "Product Viewed",
      "single": true
    }
  },
  "parameters": {
    "page_location": "url",
    "page_referrer": "referrer",
    "page_title": "title",
    "transaction_id": "order_id"
  },
  "item": {
    "item_brand": "brand",
    "item_category": "category",
    "item_id": "product_id",
    "item_name": "name",
    "item_variant": "variant"
  },
  "never": [
    "eventCallback",
    "eventTimeout",
    "event_callback",
    "event_timeout",
    "send_to",
    "user_data",
    "user_properties",
    "enhanced_conversion_data"
  ],
  "refused": {
    "analytics_storage": "none",
    "personalization_storage": "measure"
  }
};
